package fetch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

const (
	// paceFloor is how many bytes a second a server has to send: less is no
	// transfer, and would go on for weeks.
	paceFloor = 512
	// paceWindow is how long it may be below.
	paceWindow = 30 * time.Second
)

// ErrSlow says so.
var ErrSlow error = permanent{fmt.Errorf("the server sends less than %d bytes a second", paceFloor)}

// pace is a body that ends where it comes too slowly. Only the time counts in
// which it was waited for.
type pace struct {
	io.ReadCloser
	transport *Transport
	host      string

	waited time.Duration // of the window
	came   int64         // in it
	err    error         // that ended it
}

func (p *pace) Read(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	waiting, since := p.transport.wait(p.host), time.Now()
	n, err := p.ReadCloser.Read(b)
	waiting.end()
	p.waited += time.Since(since)
	p.came += int64(n)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return n, errStalled
	}
	if window := p.transport.window; p.waited >= window {
		if err == nil && float64(p.came) < paceFloor*window.Seconds() {
			p.err = ErrSlow
			return n, p.err
		}
		p.waited, p.came = 0, 0
	}
	return n, err
}

// wait says once that nothing comes, where that takes long.
func (t *Transport) wait(host string) *waiting {
	w := &waiting{}
	if t.Say != nil {
		w.timer = time.AfterFunc(t.quiet, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			if !w.ended {
				t.Say(fmt.Sprintf("nothing has come from %s for %s; still waiting", host, t.quiet))
			}
		})
	}
	return w
}

// waiting is over with its end, behind which nothing is said.
type waiting struct {
	timer *time.Timer // or nil
	mu    sync.Mutex
	ended bool
}

func (w *waiting) end() {
	if w.timer == nil || w.timer.Stop() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
}
