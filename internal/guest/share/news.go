package share

import (
	"bytes"
	"errors"
	"sync"

	"golang.org/x/sys/unix"
)

// news are what the host tells the kernel unasked: what not to believe any more. The
// kernel takes one when nobody works on what it is about, which may be when an answer
// has come that is behind it. So they are delivered by a thread of their own.
type news struct {
	mu      sync.Mutex
	more    sync.Cond
	waiting [][]byte
	ended   bool
}

func newNews() *news {
	n := &news{}
	n.more.L = &n.mu
	return n
}

func (n *news) add(message []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waiting = append(n.waiting, bytes.Clone(message))
	n.more.Signal()
}

// end ends deliver, once the kernel lets it.
func (n *news) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended = true
	n.more.Signal()
}

// next waits for all that there are, or none at the end.
func (n *news) next() [][]byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.waiting) == 0 && !n.ended {
		n.more.Wait()
	}
	all := n.waiting
	n.waiting = nil
	if n.ended {
		return nil
	}
	return all
}

// deliver gives the kernel the news until the end.
func (n *news) deliver(device int) error {
	for all := n.next(); len(all) > 0; all = n.next() {
		for _, message := range all {
			// News of what it does not know are an error to nobody.
			if _, err := unix.Write(device, message); errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EBADF) {
				return err
			}
		}
	}
	return errors.New("the news have ended")
}
