package mcp

import (
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"
)

// clipEdge is how much is kept of the beginning of an output, and as much again
// and once more of its end.
const clipEdge = 16 << 10

// clip keeps the beginning and the end of what several streams write to it.
type clip struct {
	mu         sync.Mutex
	head, tail []byte
	dropped    int64
}

func (c *clip) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(p)
	room := min(clipEdge-len(c.head), n)
	c.head = append(c.head, p[:room]...)
	p = p[room:]
	if extra := len(p) - 2*clipEdge; extra > 0 {
		p, c.dropped = p[extra:], c.dropped+int64(extra)
	}
	if extra := len(c.tail) + len(p) - 2*clipEdge; extra > 0 {
		c.tail, c.dropped = append(c.tail[:0], c.tail[extra:]...), c.dropped+int64(extra)
	}
	c.tail = append(c.tail, p...)
	return n, nil
}

// take returns what is kept, and begins anew.
func (c *clip) take() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var gap string
	if c.dropped > 0 {
		gap = fmt.Sprintf("\n[%d bytes left out]\n", c.dropped)
	}
	text := string(c.head) + gap + string(c.tail)
	c.head, c.tail, c.dropped = nil, nil, 0
	return text
}

// clean is a guest's text as one that JSON and terminals take: what is no UTF-8
// or controls a terminal becomes a mark.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			if r == '\r' {
				return -1
			}
			return '\ufffd'
		}
		return r
	}, text)
}

// bounded keeps what is written to it and refuses more than its limit, so that
// whoever writes is hung up on.
type bounded struct {
	limit int
	data  []byte
	full  bool
}

// errFull says that a bounded output was exceeded.
var errFull = fmt.Errorf("there is more than may be read at once")

func (b *bounded) Write(p []byte) (int, error) {
	room := min(b.limit-len(b.data), len(p))
	b.data = append(b.data, p[:room]...)
	if room < len(p) {
		b.full = true
		return room, errFull
	}
	return room, nil
}
