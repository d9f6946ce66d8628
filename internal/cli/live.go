package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// live is a view on a terminal that is drawn anew in place.
type live struct {
	to   io.Writer
	size func() (columns, rows int) // of the terminal, as it is now
}

// newLive returns nil where standard output is no terminal.
func (a *app) newLive() *live {
	f, ok := a.raw.Out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return &live{a.raw.Out, func() (columns, rows int) {
		columns, rows, err := term.GetSize(int(f.Fd()))
		if err != nil || columns < 1 || rows < 2 {
			return 80, 24
		}
		return columns, rows
	}}
}

// draw shows text, which nothing foreign is in that a terminal obeys, and as much of
// it as there is room for.
func (l *live) draw(text string) error {
	const home, toLineEnd, toEnd = "\x1b[H", "\x1b[K\n", "\x1b[J"
	columns, rows := l.size()
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	lines = lines[:min(len(lines), rows-1)]
	for i, line := range lines {
		if letters := []rune(line); len(letters) > columns {
			lines[i] = string(letters[:columns]) // or it would take more than a row
		}
	}
	_, err := fmt.Fprint(l.to, home+strings.Join(lines, toLineEnd)+toLineEnd+toEnd)
	return err
}

// bars are an eighth of a line high, and up to a whole one.
var bars = []rune("▁▂▃▄▅▆▇█")

// sparkline is a curve of values, of which the highest there can be is most.
func sparkline(values []float64, most float64) string {
	var line strings.Builder
	for _, v := range values {
		i := 0
		if most > 0 {
			i = int(v / most * float64(len(bars)))
		}
		line.WriteRune(bars[max(0, min(i, len(bars)-1))])
	}
	return line.String()
}

// history is the last values of a curve.
type history []float64

const maxHistory = 20

func (h *history) add(v float64) {
	*h = append(*h, v)
	if len(*h) > maxHistory {
		*h = (*h)[1:]
	}
}
