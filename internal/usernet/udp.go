package usernet

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

const (
	// flowIdle is how long a flow without datagrams is kept: RFC 4787, REQ-5.
	flowIdle = 2 * time.Minute
	// maxFlows is how many of the guest's connections may be flows.
	maxFlows = 512
)

// forwardUDP carries the guest's datagrams to the outside, and the answers
// back.
func (n *Network) forwardUDP() {
	flows := newBudget(maxFlows)
	forwarder := udp.NewForwarder(n.stack, func(request *udp.ForwarderRequest) {
		if !flows.take() {
			return
		}
		grant := n.quota.admit()
		if grant == nil {
			flows.leave()
			return
		}
		end := func() { grant.release(); flows.leave() }
		if !n.flow(request, end) {
			end()
		}
	})
	n.stack.SetTransportProtocolHandler(udp.ProtocolNumber,
		func(id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
			_, ok := n.allowed("udp", destination(id))
			return ok && forwarder.HandlePacket(id, pkt) // ICMP answers what is not handled
		})
}

// flow begins to carry datagrams between a port of the guest and one outside;
// end is called when that is over. It reports whether it has begun.
func (n *Network) flow(request *udp.ForwarderRequest, end func()) bool {
	id := request.ID()
	address, _ := n.outside(fromStack(id.LocalAddress))
	outside, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(address, id.LocalPort)))
	unreachable := func(err error) {
		if code, ok := unreachableCode(err); ok {
			n.unreachable(id, udp.ProtocolNumber, code, udpQuote(id))
		}
	}
	if err != nil {
		unreachable(err)
		return false
	}
	n.noteAllowed("udp", destination(id))
	queue := new(waiter.Queue)
	endpoint, stackErr := request.CreateEndpoint(queue)
	if stackErr != nil {
		outside.Close()
		return false
	}
	f := &flow{inside: endpoint, source: newGuestSocket(endpoint, queue), outside: outside, refused: unreachable}
	if n.spawn(func() { f.run(n.ctx); end() }) {
		return true
	}
	f.close()
	return false
}

// flow is the datagrams between a port of the guest and one outside.
type flow struct {
	inside  tcpip.Endpoint
	source  *guestSocket // inside's
	outside *net.UDPConn
	refused func(error)  // tells the guest what the outside says
	used    atomic.Int64 // when, in Unix nanoseconds
}

func (f *flow) run(ctx context.Context) {
	defer f.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f.touch()
	var outward sync.WaitGroup
	outward.Go(func() {
		for f.source.receive(ctx.Done(), f.toOutside) == nil {
		}
		cancel()
		f.outside.Close()
	})
	f.inward(ctx)
	cancel()
	outward.Wait()
}

func (f *flow) close() {
	f.outside.Close()
	f.source.release()
	f.inside.Close()
}

// inward carries the answers until the flow has been idle for long enough.
func (f *flow) inward(ctx context.Context) {
	for ctx.Err() == nil {
		expires := time.Unix(0, f.used.Load()).Add(flowIdle)
		if time.Now().After(expires) {
			return
		}
		f.outside.SetReadDeadline(expires)
		// After the outside's "port unreachable" others may follow.
		f.refused(receiveFromHost(f.outside, takeDatagramBuffer, readDatagram, f.toGuest))
	}
}

func (f *flow) toOutside(datagram []byte) error {
	f.touch()
	for range 2 { // the first may only meet what became of an earlier one
		_, err := f.outside.Write(datagram)
		if err == nil {
			break
		}
		f.refused(err)
	}
	return nil
}

func (f *flow) toGuest(datagram []byte) error {
	f.touch()
	f.inside.Write(bytes.NewReader(datagram), tcpip.WriteOptions{})
	return nil
}

func (f *flow) touch() { f.used.Store(time.Now().UnixNano()) }
