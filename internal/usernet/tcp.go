package usernet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// maxConnecting is how many connections may be on their way to the outside at
// a time; the guest's kernel tries again for those beyond.
const maxConnecting = 512

// forwardTCP carries the guest's connections to the outside.
func (n *Network) forwardTCP() {
	started := newStarts()
	forwarder := tcp.NewForwarder(n.stack, baseWindow, maxConnecting, func(request *tcp.ForwarderRequest) {
		n.connect(request, started.take(request.ID()))
	})
	n.stack.SetTransportProtocolHandler(tcp.ProtocolNumber,
		func(id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
			if _, ok := n.allowed("tcp", destination(id)); !ok {
				return false // a reset answers what is not handled
			}
			started.note(id, pkt.TransportHeader().Slice())
			return forwarder.HandlePacket(id, pkt)
		})
}

// destination is what the guest sends to.
func destination(id stack.TransportEndpointID) netip.AddrPort {
	return netip.AddrPortFrom(fromStack(id.LocalAddress), id.LocalPort)
}

// connect connects to the outside first, so that the guest's connection
// succeeds where that does, and only then. Where it fails, the guest hears the
// same as the host; quote is the start of its segment. One beyond the quota is
// refused.
func (n *Network) connect(request *tcp.ForwarderRequest, quote []byte) {
	if !n.begin() {
		request.Complete(false)
		return
	}
	defer n.work.Done()
	id := request.ID()
	tuple := n.tuples.begin(id, quote)
	defer n.endTuple(id, tuple)
	grant := n.quota.admit()
	if grant == nil {
		request.Complete(true)
		return
	}
	defer grant.release()
	address, _ := n.outside(fromStack(id.LocalAddress))
	outside, err := n.dial(n.ctx, netip.AddrPortFrom(address, id.LocalPort))
	if err != nil {
		code, ok := unreachableCode(err)
		ok = ok && code != header.ICMPv4PortUnreachable && quote != nil
		if ok {
			n.unreachable(id, tcp.ProtocolNumber, code, quote)
		}
		request.Complete(!ok)
		return
	}
	defer outside.Close()
	n.noteAllowed("tcp", destination(id))
	queue := new(waiter.Queue)
	endpoint := n.accept(request, queue)
	request.Complete(false)
	if endpoint == nil {
		return // the guest went away meanwhile
	}
	n.tuples.accepted(tuple, endpoint)
	n.join(endpoint, queue, outside, grant, n.opening(destination(id)))
}

// DialTCP connects to a port by the host's sockets. What is at the host's loopback may
// be at that of IPv6 alone.
func DialTCP(ctx context.Context, address netip.AddrPort) (*net.TCPConn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address.String())
	if address.Addr() == loopback && errors.Is(err, unix.ECONNREFUSED) {
		other := netip.AddrPortFrom(netip.IPv6Loopback(), address.Port())
		if there, otherErr := new(net.Dialer).DialContext(ctx, "tcp", other.String()); otherErr == nil {
			conn, err = there, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// accept has the guest complete its connection, or returns nil where it does not.
func (n *Network) accept(request *tcp.ForwarderRequest, queue *waiter.Queue) tcpip.Endpoint {
	patience, cancel := context.WithTimeout(n.ctx, lingering)
	accepted := make(chan struct{})
	defer close(accepted)
	defer cancel()
	context.AfterFunc(patience, func() {
		// The stack waits for the queue alone, and may not do so yet.
		for {
			queue.Notify(waiter.WritableEvents)
			select {
			case <-accepted:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	endpoint, err := request.CreateEndpoint(queue)
	if err != nil {
		return nil
	}
	return endpoint
}

// lingering is how long the guest may say nothing of a connection that has ended.
const lingering = 10 * time.Second

// bury returns when the stack has forgotten an endpoint, whose both sides have
// ended: until then it counts. The guest may take its time to read what came before
// the end, as long as it answers the stack, which asks. One that does not is not
// waited for.
func (n *Network) bury(endpoint tcpip.Endpoint, queue *waiter.Queue) {
	entry, gone := waiter.NewChannelEntry(waiter.EventHUp | waiter.EventErr)
	queue.EventRegister(&entry)
	defer queue.EventUnregister(&entry)
	endpoint.Close()
	patience := time.NewTimer(lingering)
	defer patience.Stop()
	for heard := heardOf(endpoint); !isOver(endpoint); {
		select {
		case <-gone:
			continue
		case <-patience.C:
		case <-n.ctx.Done():
		}
		before := heard
		if heard = heardOf(endpoint); heard == before || n.ctx.Err() != nil {
			endpoint.Abort()
			return
		}
		patience.Reset(max(lingering, 3*untilAsked(endpoint)))
	}
}

// heardOf is how many segments the guest has sent of a connection.
func heardOf(endpoint tcpip.Endpoint) uint64 {
	return endpoint.Stats().(*tcp.Stats).SegmentsReceived.Value()
}

// untilAsked is how long the stack waits for an answer before it asks again, and
// then for twice as long.
func untilAsked(endpoint tcpip.Endpoint) time.Duration {
	var info tcpip.TCPInfoOption
	if endpoint.GetSockOpt(&info) != nil {
		return 0
	}
	return info.RTO
}

// isOver reports whether an endpoint waits for nothing from the guest any more.
func isOver(endpoint tcpip.Endpoint) bool {
	switch tcp.EndpointState(endpoint.State()) {
	case tcp.StateClose, tcp.StateError, tcp.StateTimeWait:
		return true
	}
	return false
}
