package agent

import (
	"bytes"
	"fmt"
)

// saidEdge is how much is kept of the beginning, and of the end, of what a guest
// says.
const saidEdge = 4 << 10

// said keeps the beginning and the end of what is written to it.
type said struct {
	head, tail []byte
	dropped    int64
}

func (s *said) Write(p []byte) (int, error) {
	n := len(p)
	room := min(saidEdge-len(s.head), n)
	s.head = append(s.head, p[:room]...)
	p = p[room:]
	if extra := len(p) - saidEdge; extra > 0 {
		p, s.dropped = p[extra:], s.dropped+int64(extra)
	}
	if extra := len(s.tail) + len(p) - saidEdge; extra > 0 {
		s.tail, s.dropped = append(s.tail[:0], s.tail[extra:]...), s.dropped+int64(extra)
	}
	s.tail = append(s.tail, p...)
	return n, nil
}

func (s *said) String() string {
	var gap string
	if s.dropped > 0 {
		gap = fmt.Sprintf("\n[%d bytes left out]\n", s.dropped)
	}
	return string(bytes.TrimSpace([]byte(string(s.head) + gap + string(s.tail))))
}
