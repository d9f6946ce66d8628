package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"banger/internal/size"
)

// The ways to show progress.
const (
	progressAuto  = "auto" // a bar on a terminal, plain off one
	progressPlain = "plain"
	progressJSON  = "json"
	progressNone  = "none"
	progressBar   = "bar" // what auto is on a terminal
)

// refresh is how often a step's progress is shown anew.
const refresh = 100 * time.Millisecond

// progress shows how a long operation gets on. Each of its steps is named as it
// begins; a bar, or JSON lines, tell more of a step whose size is known.
type progress struct {
	w    io.Writer
	raw  io.Writer // where the bar moves about
	mode string
	step string          // the last to begin
	seen map[string]bool // all that have begun
	bar  *progressbar.ProgressBar
	last time.Time // when a line of JSON was written
}

// newProgress returns a progress on stderr, for one goroutine to use. Its end
// method has to be called.
func (a *app) newProgress() *progress {
	p := &progress{w: a.Err, raw: a.raw.Err, mode: a.progress, seen: map[string]bool{}}
	if a.quiet {
		p.mode = progressNone
	}
	if p.mode == progressAuto {
		p.mode = progressPlain
		if f, ok := a.raw.Err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			p.mode = progressBar
		}
	}
	return p
}

func checkProgress(mode string) error {
	switch mode {
	case progressAuto, progressPlain, progressJSON, progressNone:
		return nil
	}
	return fmt.Errorf("--progress %s is none of auto, plain, json and none", mode)
}

// report hears of a step: how many bytes are done, and of how many; 0 is for
// nothing that can be counted, and engine.Unknown for an unknown number.
func (p *progress) report(step string, done, total int64) {
	begins := !p.seen[step]
	if begins {
		p.end()
		p.step, p.seen[step] = step, true
	}
	switch p.mode {
	case progressPlain:
		if begins {
			fmt.Fprintln(p.w, withSize(printable(step), total))
		}
	case progressJSON:
		if begins || done == total || time.Since(p.last) >= refresh {
			p.last = time.Now()
			line, _ := json.Marshal(map[string]any{"step": step, "done": done, "total": total}) // never fails
			fmt.Fprintf(p.w, "%s\n", printableJSON(line))
		}
	case progressBar:
		p.draw(step, begins, done, total)
	}
}

func (p *progress) draw(step string, begins bool, done, total int64) {
	switch {
	case begins && total == 0:
		fmt.Fprintln(p.w, printable(step))
	case begins:
		p.bar = progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(p.raw),
			progressbar.OptionSetDescription(printable(step)),
			progressbar.OptionShowBytes(true),
			progressbar.OptionUseIECUnits(true),
			progressbar.OptionSetWidth(20),
			progressbar.OptionThrottle(refresh),
			progressbar.OptionSetPredictTime(true),
		)
	}
	if p.bar != nil && step == p.step {
		p.bar.Set64(done)
	}
}

// clear makes room for a message where the bar is, which comes again below it.
func (p *progress) clear() {
	if p.bar != nil {
		p.bar.Clear()
	}
}

// end leaves the bar as it is, and goes on in a new line.
func (p *progress) end() {
	if p.bar != nil {
		fmt.Fprintln(p.w)
		p.bar = nil
	}
}

func withSize(step string, total int64) string {
	if total <= 0 {
		return step
	}
	return fmt.Sprintf("%s (%s)", step, size.Size(total))
}
