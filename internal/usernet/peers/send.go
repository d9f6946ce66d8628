package peers

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
)

// sender sends to one peer for as long as that is there.
type sender struct {
	port    *Port
	peer    netip.Addr
	queue   chan *buffer.View
	waiting atomic.Int64 // bytes

	mu    sync.Mutex // guards ended against the adding of packets
	ended bool
}

// add has a packet sent, and reports whether there is room for it.
func (s *sender) add(packet []byte, cost int64) bool {
	if s.waiting.Add(cost) > maxWaitingPeer {
		s.waiting.Add(-cost)
		return false
	}
	view := buffer.NewViewWithData(packet)
	if !s.push(view) {
		s.waiting.Add(-cost)
		view.Release()
		return false
	}
	return true
}

func (s *sender) push(packet *buffer.View) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	select {
	case s.queue <- packet:
		return true
	default:
		return false
	}
}

// done gives back what a packet took.
func (s *sender) done(packet *buffer.View) {
	cost := int64(packet.Size() + packetCost)
	s.waiting.Add(-cost)
	s.port.waiting.Add(-cost)
	packet.Release()
}

func (s *sender) run() {
	conn, err := s.dial()
	if err != nil {
		s.end(err)
		return
	}
	gone := make(chan struct{})
	s.port.work.Go(func() {
		conn.Read(make([]byte, 1)) // nothing comes but the end
		conn.Close()
		close(gone)
	})
	defer context.AfterFunc(s.port.ctx, func() { conn.Close() })()
	for err == nil {
		select {
		case packet := <-s.queue:
			_, err = conn.Write(packet.AsSlice())
			s.done(packet)
		case <-gone:
			err = net.ErrClosed
		}
	}
	conn.Close()
	s.end(nil)
}

// end drops what waits. absent says that nothing could be sent, which the guest
// hears.
func (s *sender) end(absent error) {
	s.port.mu.Lock()
	delete(s.port.to, s.peer)
	s.port.mu.Unlock()
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	for {
		select {
		case packet := <-s.queue:
			if absent != nil && s.port.ctx.Err() == nil {
				s.port.Absent(packet.AsSlice())
			}
			s.done(packet)
		default:
			return
		}
	}
}

// hello is the first packet on a connection.
type hello struct {
	VM string `json:"vm"` // who dials
}

// maxHello is more than a hello takes, in bytes.
const maxHello = 1 << 10

// greeting is how long one who dials may take to say who it is.
const greeting = 5 * time.Second

func (s *sender) dial() (net.Conn, error) {
	member, ok := s.port.Directory.ByAddress(s.peer)
	if !ok || !member.Up {
		return nil, errAbsent
	}
	ctx, cancel := context.WithTimeout(s.port.ctx, greeting)
	defer cancel()
	conn, err := s.port.Directory.Dial(ctx, member.Name)
	if err != nil {
		return nil, err
	}
	if pid, err := processOf(conn); err != nil || !s.port.Directory.IsSupervisor(pid, member.Name) {
		conn.Close()
		fmt.Fprintf(s.port.Log, "network: who listens for vm %s is not its supervisor\n", member.Name)
		return nil, errAbsent
	}
	line, err := json.Marshal(hello{s.port.Name})
	if err == nil {
		_, err = conn.Write(line)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}
