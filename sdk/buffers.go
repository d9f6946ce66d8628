package sdk

import (
	"io"
	"reflect"
	"sync"
)

// maxTail is how much of a program's standard error an ExitError has.
const maxTail = 32 << 10

// tail keeps the end of what is written to it.
type tail []byte

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	p = p[max(0, n-maxTail):]
	if extra := len(*t) + len(p) - maxTail; extra > 0 {
		*t = append((*t)[:0], (*t)[extra:]...)
	}
	*t = append(*t, p...)
	return n, nil
}

// joined is a writer that both of a program's streams go to.
type joined struct {
	mu sync.Mutex
	to io.Writer
}

func (j *joined) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.to.Write(p)
}

// streams returns what a program's output is written to, one write at a time
// where both streams go to the same.
func streams(stdout, stderr io.Writer) (io.Writer, io.Writer) {
	if stdout == nil {
		stdout = io.Discard
	}
	if stderr == nil {
		stderr = io.Discard
	}
	if reflect.TypeOf(stdout).Comparable() && stdout == stderr {
		j := &joined{to: stdout}
		return j, j
	}
	return stdout, stderr
}
