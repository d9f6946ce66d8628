package usernet

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"banger/internal/agentapi"
)

const guestMAC = tcpip.LinkAddress("\x02\x00\x00\x00\x00\x02")

// fakeGuest is a guest's side of a network: another stack, with the settings
// that the agent makes.
type fakeGuest struct {
	t     *testing.T
	stack *stack.Stack
	icmp  chan header.ICMPv4 // the ICMP messages that it gets
	deaf  atomic.Bool        // it gets nothing
}

// note keeps ICMP messages.
func (g *fakeGuest) note(frame []byte) bool {
	packet := header.IPv4(frame[header.EthernetMinimumSize:])
	isICMP := header.Ethernet(frame).Type() == header.IPv4ProtocolNumber &&
		packet.Protocol() == uint8(header.ICMPv4ProtocolNumber)
	if isICMP {
		g.icmp <- bytes.Clone(packet.Payload())
	}
	return !g.deaf.Load()
}

// frames is how a guest's frames go over a connection.
type frames struct {
	kind  int // of socket
	serve func(*Network, context.Context, net.Conn) error
	write func(io.Writer, []byte) error
	read  func(io.Reader) (*buffer.View, error)
}

var streamFrames = frames{
	kind:  unix.SOCK_STREAM,
	serve: (*Network).ServeStream,
	write: func(w io.Writer, frame []byte) error {
		size := len(frame)
		_, err := w.Write(append([]byte{byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)}, frame...))
		return err
	},
	read: readFrame,
}

var packetFrames = frames{
	kind:  unix.SOCK_SEQPACKET,
	serve: func(n *Network, ctx context.Context, conn net.Conn) error { return n.ServePackets(ctx, conn) },
	write: func(w io.Writer, frame []byte) error {
		_, err := w.Write(frame)
		return err
	},
	read: func(r io.Reader) (*buffer.View, error) {
		frame := buffer.NewViewSize(maxFrame)
		size, err := r.Read(frame.AsSlice())
		frame.CapLength(size)
		return frame, err
	},
}

// newNetwork makes a network with a guest on it. Both end with the test.
func newNetwork(t *testing.T, o Options, f frames) (*Network, *fakeGuest) {
	t.Helper()
	o.Log = testLog{t}
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := socketPair(t, f.kind)
	served := make(chan error, 1)
	go func() { served <- f.serve(n, context.Background(), ours) }()
	g := &fakeGuest{t: t, stack: newStack(), icmp: make(chan header.ICMPv4, 16)}
	l := newLink(guestMAC, g.note)
	if err := g.setUp(l); err != nil {
		t.Fatal(err)
	}
	l.connect(func(parts [][]byte) error { return f.write(theirs, bytes.Join(parts, nil)) })
	received := make(chan struct{})
	go func() {
		defer close(received)
		for {
			frame, err := f.read(theirs)
			if err != nil {
				return
			}
			l.receive(frame)
		}
	}()
	t.Cleanup(func() {
		n.Close()
		<-served
		theirs.Close()
		<-received
		l.detach()
		g.stack.Destroy()
	})
	return n, g
}

func (g *fakeGuest) setUp(l *link) error {
	if err := g.stack.CreateNIC(nicID, ethernet.New(l)); err != nil {
		return stackError(err)
	}
	address := tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4(guest.As4()), PrefixLen: agentapi.PrefixLen}
	err := g.stack.AddProtocolAddress(nicID,
		tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: address}, stack.AddressProperties{})
	g.stack.SetRouteTable([]tcpip.Route{
		{Destination: address.Subnet(), NIC: nicID},
		{Destination: header.IPv4EmptySubnet, NIC: nicID, Gateway: tcpip.AddrFrom4(gateway.As4())},
	})
	return stackError(err)
}

// dial connects from the guest.
func (g *fakeGuest) dial(ctx context.Context, network, address string) (net.Conn, error) {
	to, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return nil, err
	}
	remote := tcpip.FullAddress{NIC: nicID, Addr: tcpip.AddrFromSlice(to.IP.To4()), Port: uint16(to.Port)}
	if network == "udp" {
		return gonet.DialUDP(g.stack, nil, &remote, ipv4.ProtocolNumber)
	}
	return gonet.DialContextTCP(ctx, g.stack, remote, ipv4.ProtocolNumber)
}

func (g *fakeGuest) mustDial(network, address string) net.Conn {
	g.t.Helper()
	conn, err := g.dial(g.t.Context(), network, address)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { conn.Close() })
	return conn
}

func (g *fakeGuest) listen(port uint16) net.Listener {
	g.t.Helper()
	l, err := gonet.ListenTCP(g.stack, fullAddress(guest, port), ipv4.ProtocolNumber)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { l.Close() })
	return l
}

func socketPair(t *testing.T, kind int) (ours, theirs net.Conn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]net.Conn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "socket")
		ends[i], err = net.FileConn(file)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	return ends[0], ends[1]
}

type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Logf("%s", p)
	return len(p), nil
}

// frameView is a frame as the link takes it.
func frameView(frame []byte) *buffer.View { return buffer.NewViewWithData(frame) }

// reachesOutside reports whether a frame's packet is for another network.
func reachesOutside(frame []byte) bool {
	if len(frame) < header.EthernetMinimumSize+header.IPv4MinimumSize {
		return false
	}
	return !subnet.Contains(fromStack(header.IPv4(frame[header.EthernetMinimumSize:]).DestinationAddress()))
}
