package api

import (
	"errors"
	"sync/atomic"
)

// maxHeld is how many requests may be open at a time that have no end of their own:
// programs on websockets, ports, logs and events that are followed.
const maxHeld = 1000

var errBusy = errors.New("too many requests are open that have no end of their own")

// held counts such requests.
type held struct{ n atomic.Int64 }

// take counts one more until release is called, or fails where there are too many.
func (h *held) take() (release func(), err error) {
	if h.n.Add(1) > maxHeld {
		h.n.Add(-1)
		return nil, errBusy
	}
	return func() { h.n.Add(-1) }, nil
}
