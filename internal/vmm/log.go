package vmm

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

// maxLine bounds what is kept of a line, in bytes.
const maxLine = 4096

// Log passes on what a VMM says of itself and keeps the last line.
type Log struct {
	// Heard is told of each whole line; may be nil, and must not wait.
	Heard func(line string)
	// Repeats reports whether a line only says again what one before it said better;
	// may be nil.
	Repeats func(line string) bool

	out    io.Writer
	prefix string // what the VMM writes before its lines

	mu         sync.Mutex
	last, line []byte // the last whole line, and the one being written
}

// NewLog returns a log that passes on to out, which may be nil; the VMM writes
// prefix before its lines.
func NewLog(out io.Writer, prefix string) *Log {
	if out == nil {
		out = io.Discard
	}
	return &Log{out: out, prefix: prefix}
}

// Write never fails: a log that can't be written must not stall a VMM.
func (l *Log) Write(p []byte) (int, error) {
	l.out.Write(p)
	l.mu.Lock()
	defer l.mu.Unlock()
	for part := range bytes.Lines(p) {
		if len(l.line) < maxLine {
			l.line = append(l.line, part...)
		}
		if bytes.HasSuffix(part, []byte("\n")) {
			l.take(l.line)
			l.line = nil
		}
	}
	return len(p), nil
}

// take takes note of a whole line.
func (l *Log) take(line []byte) {
	text := strings.TrimSpace(string(line))
	if l.last == nil || l.Repeats == nil || !l.Repeats(text) {
		l.last = line
	}
	if l.Heard != nil {
		l.Heard(text)
	}
}

// LastLine returns the last line that repeats none, without what the VMM writes before
// it.
func (l *Log) LastLine() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := l.line
	if len(line) == 0 {
		line = l.last
	}
	text := strings.TrimSpace(string(line))
	if _, rest, found := strings.Cut(text, l.prefix); found {
		return rest
	}
	return text
}
