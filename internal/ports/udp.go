package ports

import (
	"bytes"
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
	// maxWaiting is how many bytes of a port's datagrams wait for the guest, and
	// maxQueue how many of one client's; what is more is lost.
	maxWaiting = 4 << 20
	maxQueue   = 64
)

// clients are those of a UDP port.
type clients struct {
	*Listener
	socket *net.UDPConn

	mu      sync.Mutex
	flows   map[netip.AddrPort]*flow
	waiting int // bytes, of all
}

// flow is a client's datagrams, with a socket of its own to the guest.
type flow struct {
	client netip.AddrPort
	out    chan []byte // to the guest
	used   time.Time
	ctx    context.Context
	end    context.CancelFunc
}

func (l *Listener) listenUDP() error {
	socket, err := net.ListenUDP(l.spec.network(), net.UDPAddrFromAddrPort(l.spec.Host()))
	if err != nil {
		return err
	}
	l.spec = l.spec.with(socket.LocalAddr())
	context.AfterFunc(l.ctx, func() { socket.Close() })
	c := &clients{Listener: l, socket: socket, flows: map[netip.AddrPort]*flow{}}
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
		c.send(from, buf[:size])
	}
}

// send passes a client's datagram on to the guest, where there is room.
func (c *clients) send(from netip.AddrPort, datagram []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.flow(from)
	f.used = time.Now()
	if c.waiting+len(datagram) > maxWaiting && len(f.out) > 0 {
		return // one of each client's may wait, whatever others do
	}
	select {
	case f.out <- bytes.Clone(datagram):
		c.waiting += len(datagram)
	default:
	}
}

// flow returns a client's, for which the one that was used least lately makes room.
func (c *clients) flow(from netip.AddrPort) *flow {
	f := c.flows[from]
	if f == nil {
		c.makeRoom()
		f = &flow{client: from, out: make(chan []byte, maxQueue)}
		f.ctx, f.end = context.WithCancel(c.ctx)
		c.flows[from] = f
		c.work.Go(func() { c.carry(f) })
	}
	return f
}

func (c *clients) makeRoom() {
	if len(c.flows) < maxFlows {
		return
	}
	var oldest *flow
	for _, f := range c.flows {
		if oldest == nil || f.used.Before(oldest.used) {
			oldest = f
		}
	}
	oldest.end()
	delete(c.flows, oldest.client)
}

// carry joins a client to the guest until none of the two sends anything.
func (c *clients) carry(f *flow) {
	defer c.forget(f)
	guest, err := c.guest()
	if err != nil {
		return
	}
	conn, err := guest.DialUDP(f.ctx, c.spec.GuestPort)
	if err != nil {
		return
	}
	defer context.AfterFunc(f.ctx, func() { conn.Close() })()
	var inward sync.WaitGroup
	inward.Go(func() {
		c.answer(f.client, conn)
		f.end()
	})
	for f.ctx.Err() == nil {
		select {
		case datagram := <-f.out:
			c.sent(datagram)
			conn.SetReadDeadline(time.Now().Add(flowIdle))
			conn.Write(datagram)
		case <-f.ctx.Done():
		}
	}
	inward.Wait()
}

func (c *clients) sent(datagram []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting -= len(datagram)
}

// forget ends a flow, and what waits for it.
func (c *clients) forget(f *flow) {
	f.end()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flows[f.client] == f {
		delete(c.flows, f.client)
	}
	for len(f.out) > 0 {
		c.waiting -= len(<-f.out)
	}
}

// answer carries the guest's datagrams to a client until none come.
func (c *clients) answer(to netip.AddrPort, guest net.Conn) {
	defer guest.Close()
	buf := make([]byte, maxDatagram)
	for {
		size, err := guest.Read(buf)
		if err != nil {
			return
		}
		guest.SetReadDeadline(time.Now().Add(flowIdle))
		c.socket.WriteToUDPAddrPort(buf[:size], to)
	}
}
