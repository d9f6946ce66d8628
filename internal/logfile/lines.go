package logfile

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"
)

// The lines that a log takes: a burst, and then so many a second.
const (
	burst     = 200
	perSecond = 20
	maxLine   = 4096 // bytes, of which no more is kept
)

// Lines passes whole lines on to a log. Of the same line again and again, and of
// more lines than anybody reads, it passes on how many there were.
type Lines struct {
	mu      sync.Mutex
	out     io.Writer
	now     func() time.Time
	partial []byte
	last    []byte
	same    int // times that last came again
	dropped int // lines beyond the rate
	tokens  float64
	filled  time.Time
}

// NewLines returns a writer to out.
func NewLines(out io.Writer) *Lines {
	return &Lines{out: out, now: time.Now, tokens: burst, filled: time.Now()}
}

// Write implements io.Writer.
func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for part := range bytes.Lines(p) {
		line, ended := bytes.CutSuffix(part, []byte("\n"))
		l.partial = append(l.partial, line[:min(len(line), maxLine-len(l.partial))]...)
		if ended {
			l.line(l.partial)
			l.partial = l.partial[:0]
		}
	}
	return len(p), nil
}

func (l *Lines) line(text []byte) {
	if l.last != nil && bytes.Equal(text, l.last) {
		l.same++
		return
	}
	if !l.take() {
		l.dropped++
		return
	}
	l.flush()
	fmt.Fprintf(l.out, "%s\n", text)
	l.last = append(l.last[:0], text...)
}

// take reports whether one more line fits the rate.
func (l *Lines) take() bool {
	now := l.now()
	l.tokens = min(burst, l.tokens+now.Sub(l.filled).Seconds()*perSecond)
	l.filled = now
	if l.tokens < 1 {
		return false
	}
	l.tokens--
	return true
}

// flush says what was left out so far.
func (l *Lines) flush() {
	if l.same > 0 {
		fmt.Fprintf(l.out, "(the same %d times more)\n", l.same)
	}
	if l.dropped > 0 {
		fmt.Fprintf(l.out, "(%d lines more)\n", l.dropped)
	}
	l.same, l.dropped = 0, 0
}

// Close passes on what is left; out stays open.
func (l *Lines) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.partial) > 0 {
		l.line(l.partial)
	}
	l.flush()
	l.partial, l.last = nil, nil
	return nil
}
