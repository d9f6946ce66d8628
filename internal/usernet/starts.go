package usernet

import (
	"bytes"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// starts keeps the beginning of the segments by which the guest's connections
// start: an ICMP message has to repeat it, and the stack does not give it back.
type starts struct {
	mu    sync.Mutex
	quote map[stack.TransportEndpointID][]byte
}

func newStarts() *starts {
	return &starts{quote: map[stack.TransportEndpointID][]byte{}}
}

// note keeps a segment's beginning where it starts a connection.
func (s *starts) note(id stack.TransportEndpointID, segment header.TCP) {
	if !isStart(segment) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.quote) >= maxConnecting { // the stack took none of them up
		clear(s.quote)
	}
	s.quote[id] = bytes.Clone(segment[:quoteSize])
}

// take returns what was kept, or nil.
func (s *starts) take(id stack.TransportEndpointID) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	quote := s.quote[id]
	delete(s.quote, id)
	return quote
}
