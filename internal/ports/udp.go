package ports

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// flowIdle is how long a client without datagrams is remembered: RFC 4787,
	// REQ-5.
	flowIdle = 2 * time.Minute
	// maxFlows is how many clients a port has at a time.
	maxFlows = 256
	// maxDatagram is more than any datagram, in bytes.
	maxDatagram = 1 << 16
)

// clients are those of a UDP port, each with a socket of its own to the guest.
type clients struct {
	*Listener
	socket *net.UDPConn

	mu    sync.Mutex
	flows map[netip.AddrPort]net.Conn
}

func (l *Listener) listenUDP() error {
	socket, err := net.ListenUDP(l.spec.network(), net.UDPAddrFromAddrPort(l.spec.Host()))
	if err != nil {
		return err
	}
	l.spec = l.spec.with(socket.LocalAddr())
	context.AfterFunc(l.ctx, func() { socket.Close() })
	c := &clients{Listener: l, socket: socket, flows: map[netip.AddrPort]net.Conn{}}
	l.work.Go(c.serve)
	return nil
}

func (c *clients) serve() {
	buf := make([]byte, maxDatagram)
	for {
		size, from, err := c.socket.ReadFromUDPAddrPort(buf)
		if c.ctx.Err() != nil {
			return
		}
		if err != nil {
			continue // an earlier datagram's
		}
		if flow := c.flow(from); flow != nil {
			flow.SetReadDeadline(time.Now().Add(flowIdle))
			flow.Write(buf[:size])
		}
	}
}

// flow returns a client's socket; nil where there is no guest, or no room.
func (c *clients) flow(from netip.AddrPort) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if flow := c.flows[from]; flow != nil || len(c.flows) >= maxFlows {
		return flow
	}
	guest, err := c.guest()
	if err != nil {
		return nil
	}
	flow, err := guest.DialUDP(c.spec.GuestPort)
	if err != nil {
		return nil
	}
	c.flows[from] = flow
	c.work.Go(func() { c.answer(from, flow) })
	return flow
}

// answer carries the guest's datagrams to a client until none come.
func (c *clients) answer(to netip.AddrPort, flow net.Conn) {
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.flows, to)
		flow.Close()
	}()
	defer context.AfterFunc(c.ctx, func() { flow.Close() })()
	buf := make([]byte, maxDatagram)
	for {
		size, err := flow.Read(buf)
		if err != nil {
			return
		}
		flow.SetReadDeadline(time.Now().Add(flowIdle))
		c.socket.WriteToUDPAddrPort(buf[:size], to)
	}
}
