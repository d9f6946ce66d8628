// Package peers carries the IP packets of one VM's guest to the supervisors of the
// other VMs of a network, and theirs to it: each has a socket at which the others
// find it. There is no switch between them.
//
// A connection carries packets one way, from who dialled. Both ends make sure who
// the other is: the process that holds a VM's lock is its supervisor, and what it
// sends has that VM's address as its source and this one's as its destination, or
// is dropped. What waits for a peer that does not read is bounded, and beyond that
// lost, as on any network.
package peers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
)

// Member is a VM of the network.
type Member struct {
	Name    string
	Address netip.Addr
	Up      bool // its supervisor is at work
}

// Directory knows who is on a network, now.
type Directory interface {
	Listen() (net.Listener, error)
	Dial(ctx context.Context, name string) (net.Conn, error)
	ByName(name string) (Member, bool)
	ByAddress(netip.Addr) (Member, bool)
	// IsSupervisor reports whether a process is the supervisor of the named VM.
	IsSupervisor(pid int, name string) bool
}

// Options say who is on which network.
type Options struct {
	Name      string // the VM's
	Address   netip.Addr
	MaxPacket int // bytes
	Directory Directory
	// Deliver takes a packet of a peer's, whose addresses are right. It may take its
	// time, which that peer has to wait for.
	Deliver func(from netip.Addr, packet []byte)
	// Absent takes a packet to an address at which there is no VM that runs.
	Absent func(packet []byte)
	Log    io.Writer
}

// Port is a VM's port to the network.
type Port struct {
	Options
	listener net.Listener
	waiting  atomic.Int64 // bytes, for all peers
	ctx      context.Context
	cancel   context.CancelFunc
	work     sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	to      map[netip.Addr]*sender
	from    map[netip.Addr]net.Conn
	meeting []net.Conn // that have not shown yet who they are, the oldest first
}

// Join opens a VM's port. The caller must Close it.
func Join(o Options) (*Port, error) {
	listener, err := o.Directory.Listen()
	if err != nil {
		return nil, fmt.Errorf("join the network: %w", err)
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	p := &Port{
		Options: o, listener: listener, to: map[netip.Addr]*sender{}, from: map[netip.Addr]net.Conn{},
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.work.Go(p.accept)
	return p, nil
}

// Close returns when nothing is carried any more.
func (p *Port) Close() {
	p.mu.Lock()
	p.closed = true
	for _, conn := range p.from {
		conn.Close()
	}
	for _, conn := range p.meeting {
		conn.Close()
	}
	p.mu.Unlock()
	p.cancel()
	p.listener.Close()
	p.work.Wait()
}

// What waits to be sent, in bytes and packets. A packet costs what it takes, be it
// ever so short.
const (
	maxWaiting     = 8 << 20
	maxWaitingPeer = 2 << 20
	packetCost     = 512
	maxQueue       = maxWaitingPeer / (packetCost + 1024)
)

// Send sends a packet to a peer, or loses it. It does not wait.
func (p *Port) Send(to netip.Addr, packet []byte) {
	cost := int64(len(packet) + packetCost)
	if p.waiting.Add(cost) > maxWaiting {
		p.waiting.Add(-cost)
		return
	}
	s := p.sender(to)
	if s == nil || !s.add(packet, cost) {
		p.waiting.Add(-cost)
	}
}

// maxSenders bounds to how many addresses a guest may send at a time.
const maxSenders = 1024

// sender returns who sends to a peer, or nil where there are too many.
func (p *Port) sender(to netip.Addr) *sender {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.to[to]
	if s != nil || p.closed || len(p.to) >= maxSenders {
		return s
	}
	s = &sender{port: p, peer: to, queue: make(chan *buffer.View, maxQueue)}
	p.to[to] = s
	p.work.Go(s.run)
	return s
}

var errAbsent = errors.New("there is no such vm, or it does not run")
