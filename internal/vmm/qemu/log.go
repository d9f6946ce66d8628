package qemu

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

// maxLine bounds what is kept of a line, in bytes.
const maxLine = 4096

// log passes on what QEMU says of itself and keeps the last line.
type log struct {
	out io.Writer

	mu         sync.Mutex
	last, line []byte // the last whole line, and the one being written
}

func newLog(out io.Writer) *log {
	if out == nil {
		out = io.Discard
	}
	return &log{out: out}
}

// Write never fails: a log that can't be written must not stall QEMU.
func (l *log) Write(p []byte) (int, error) {
	l.out.Write(p)
	l.mu.Lock()
	defer l.mu.Unlock()
	for part := range bytes.Lines(p) {
		if len(l.line) < maxLine {
			l.line = append(l.line, part...)
		}
		if bytes.HasSuffix(part, []byte("\n")) {
			l.last, l.line = l.line, nil
		}
	}
	return len(p), nil
}

// lastLine returns the last line without QEMU's name before it.
func (l *log) lastLine() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := l.line
	if len(line) == 0 {
		line = l.last
	}
	text := strings.TrimSpace(string(line))
	if _, rest, found := strings.Cut(text, Program+": "); found {
		return rest
	}
	return text
}
