package usernet

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// maxConnecting is how many connections may be on their way to the outside at
// a time; the guest's kernel tries again for those beyond.
const maxConnecting = 1024

// forwardTCP carries the guest's connections to the outside.
func (n *Network) forwardTCP() {
	started := newStarts()
	forwarder := tcp.NewForwarder(n.stack, 0, maxConnecting, func(request *tcp.ForwarderRequest) {
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
// same as the host; quote is the start of its segment.
func (n *Network) connect(request *tcp.ForwarderRequest, quote []byte) {
	if !n.begin() {
		request.Complete(false)
		return
	}
	defer n.work.Done()
	if !n.conns.take() {
		request.Complete(true)
		return
	}
	defer n.conns.leave()
	id := request.ID()
	address, _ := n.outside(fromStack(id.LocalAddress))
	outside, err := n.dialTCP(netip.AddrPortFrom(address, id.LocalPort))
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
	var queue waiter.Queue
	endpoint, stackErr := request.CreateEndpoint(&queue)
	request.Complete(false)
	if stackErr != nil {
		return // the guest went away meanwhile
	}
	n.join(endpoint, &queue, outside)
}

func (n *Network) dialTCP(address netip.AddrPort) (*net.TCPConn, error) {
	conn, err := new(net.Dialer).DialContext(n.ctx, "tcp4", address.String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// join carries bytes both ways until both sides have ended, or one has broken:
// then the other is broken too.
func (n *Network) join(endpoint tcpip.Endpoint, queue *waiter.Queue, outside *net.TCPConn) {
	inside, source := gonet.NewTCPConn(queue, endpoint), newGuestSocket(endpoint, queue)
	defer inside.Close()
	defer source.release()
	share := int64(n.conns.bufferShare())
	endpoint.SocketOptions().SetReceiveBufferSize(share, true)
	endpoint.SocketOptions().SetSendBufferSize(share, true)
	abort := sync.OnceFunc(func() {
		endpoint.Abort()
		outside.SetLinger(0)
		outside.Close()
	})
	defer context.AfterFunc(n.ctx, abort)()

	var outward sync.WaitGroup
	outward.Go(func() {
		if err := copyFromGuest(outside, source); err != nil {
			abort()
			return
		}
		outside.CloseWrite()
	})
	if err := copyFromHost(inside, outside); err != nil {
		abort()
	} else {
		inside.CloseWrite()
	}
	outward.Wait()
}

// copyFromGuest copies until the guest has nothing more to send.
func copyFromGuest(dst io.Writer, src *guestSocket) error {
	for {
		err := src.receive(nil, func(data []byte) error {
			_, err := dst.Write(data)
			return err
		})
		if err != nil {
			return ignoreEOF(err)
		}
	}
}

// copyFromHost copies until the host's side has nothing more to send.
func copyFromHost(dst io.Writer, src *net.TCPConn) error {
	for {
		err := receiveFromHost(src, readStream, func(data []byte) error {
			if len(data) == 0 {
				return io.EOF
			}
			_, err := dst.Write(data)
			return err
		})
		if err != nil {
			return ignoreEOF(err)
		}
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
