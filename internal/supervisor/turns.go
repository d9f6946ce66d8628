package supervisor

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"banger/internal/vm"
)

// turns are taken by those who hold the machine still, or change it: one at a time.
type turns struct {
	mu    sync.Mutex
	doing string        // by whose turn it is, "" where nobody's
	ended chan struct{} // closed when that is done
}

// take waits for the turn of a caller, whom it tells for what, and returns what ends
// it. doing is a sentence, as the others who wait then hear it.
func (t *turns) take(doing string, c *caller) (end func(), err error) {
	for {
		t.mu.Lock()
		other, ended := t.doing, t.ended
		if other == "" {
			t.doing, t.ended = doing, make(chan struct{})
			t.mu.Unlock()
			return t.end, nil
		}
		t.mu.Unlock()
		c.tell(other)
		select {
		case <-ended:
		case <-c.left():
			return nil, errLeft
		}
	}
}

func (t *turns) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.doing = ""
	close(t.ended)
}

// errLeft says that whoever gave an order has given up.
var errLeft = errors.New("nobody waits for it any more")

// caller is who gave an order, and says no more then; nil is this process.
type caller struct {
	conn  net.Conn
	watch sync.Once
	gone  chan struct{}
}

func newCaller(conn net.Conn) *caller { return &caller{conn: conn, gone: make(chan struct{})} }

// tell says what the caller waits for.
func (c *caller) tell(what string) {
	if c == nil {
		return
	}
	c.conn.SetWriteDeadline(time.Now().Add(requestTimeout))
	json.NewEncoder(c.conn).Encode(vm.Reply{WaitsFor: what})
}

// left is closed when the caller has given up.
func (c *caller) left() <-chan struct{} {
	if c == nil {
		return nil
	}
	c.watch.Do(func() {
		go func() {
			defer close(c.gone)
			io.Copy(io.Discard, c.conn)
		}()
	})
	return c.gone
}
