package supervisor

import (
	"net"
	"slices"
	"sync"
)

// maxStrangers is how many connections may be under way that have not shown yet
// that the agent is at their other end.
const maxStrangers = 16

// strangers are those connections. Any process of the guest can have some made:
// where there are more than may be, the oldest goes, for the agent needs no time
// to show itself.
type strangers struct {
	mu    sync.Mutex
	conns []net.Conn
}

// meetAll has each who connects met, until the listener fails.
func (s *strangers) meetAll(listener net.Listener, meet func(net.Conn)) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		s.add(conn)
		go meet(conn)
	}
}

func (s *strangers) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		conn.Close()
	}
}

func (s *strangers) add(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) == maxStrangers {
		s.conns[0].Close()
		s.conns = slices.Delete(s.conns, 0, 1)
	}
	s.conns = append(s.conns, conn)
}

func (s *strangers) remove(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.conns, conn); i >= 0 {
		s.conns = slices.Delete(s.conns, i, i+1)
	}
}
