package usernet

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
)

// holder accepts connections, and neither reads nor closes them.
type holder struct {
	net.Listener
	mu     sync.Mutex
	conns  []net.Conn
	closed bool // accepts no more
}

func newHolder(t *testing.T) *holder {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &holder{Listener: l}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			h.mu.Lock()
			h.conns = append(h.conns, conn)
			if h.closed {
				conn.Close()
			}
			h.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		h.closeAll()
	})
	return h
}

func (h *holder) closeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, conn := range h.conns {
		conn.Close()
	}
}

func (g *fakeGuest) dialHolder(h *holder) (*gonet.TCPConn, error) {
	port := uint16(h.Addr().(*net.TCPAddr).Port)
	return gonet.DialContextTCP(g.t.Context(), g.stack, fullAddress(host, port), ipv4.ProtocolNumber)
}

func TestConnectionsAreCapped(t *testing.T) {
	_, g := newNetwork(t, Options{HostLoopback: true, Conns: 8}, streamFrames)
	h := newHolder(t)
	var conns []*gonet.TCPConn
	for range 8 {
		conn, err := g.dialHolder(h)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	if _, err := g.dialHolder(h); err == nil {
		t.Fatal("a ninth connection is there")
	}
	// Those that end make room, once the other end has taken note.
	for _, conn := range conns {
		conn.Close()
	}
	h.closeAll()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		conn, err := g.dialHolder(h)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no room is made: %v", err)
		}
	}
}

// Ended connections count until the stack has forgotten them, and no longer.
func TestEndedConnectionsAreReturned(t *testing.T) {
	n, g := newNetwork(t, Options{HostLoopback: true}, streamFrames)
	server, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(conn, conn)
				conn.Close()
			}()
		}
	}()
	port := uint16(server.Addr().(*net.TCPAddr).Port)
	for range 50 {
		conn, err := gonet.DialContextTCP(t.Context(), g.stack, fullAddress(host, port), ipv4.ProtocolNumber)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		conn.CloseWrite()
		if got, err := io.ReadAll(conn); string(got) != "hello" {
			t.Fatalf("got %q, %v", got, err)
		}
		conn.Close()
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		n.quota.mu.Lock()
		left, pool := n.quota.connections, n.quota.pool
		n.quota.mu.Unlock()
		if left == DefaultConns && pool == poolSize {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections and %d bytes are left", left, pool)
		}
	}
}

// A guest that never completes its connections holds nothing up. Beyond this
// test, the stack would wait two minutes for each, and so would Close.
func TestHalfOpenConnections(t *testing.T) {
	n, err := New(Options{HostLoopback: true})
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan struct{}, 100)
	n.link.connect(func([][]byte) error { answered <- struct{}{}; return nil })
	h := newHolder(t)
	port := uint16(h.Addr().(*net.TCPAddr).Port)
	n.link.receive(buffer.NewViewWithData(synFrame(port)))
	<-answered // by an ARP request or the handshake's second segment
	closed := make(chan struct{})
	go func() {
		n.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(time.Minute):
		t.Error("the network does not close")
	}
	if n.quota.connections != DefaultConns {
		t.Errorf("%d connections are left", n.quota.connections)
	}
}

// synFrame starts a connection of the guest's to a port of the host's loopback.
func synFrame(port uint16) []byte { return synTo(host, 4242, port) }

// synTo starts a connection of the guest's.
func synTo(address netip.Addr, from, to uint16) []byte {
	return segmentTo(address, header.TCPFields{SrcPort: from, DstPort: to, SeqNum: 1, Flags: header.TCPFlagSyn})
}

// segmentTo is the frame of a segment without data that the guest sends.
func segmentTo(address netip.Addr, fields header.TCPFields) []byte {
	frame := make([]byte, header.EthernetMinimumSize+header.IPv4MinimumSize+header.TCPMinimumSize)
	header.Ethernet(frame).Encode(&header.EthernetFields{SrcAddr: guestMAC, DstAddr: gatewayMAC, Type: header.IPv4ProtocolNumber})
	ip := header.IPv4(frame[header.EthernetMinimumSize:])
	ip.Encode(&header.IPv4Fields{
		TotalLength: header.IPv4MinimumSize + header.TCPMinimumSize, TTL: 64, Protocol: uint8(header.TCPProtocolNumber),
		SrcAddr: tcpip.AddrFrom4(guest.As4()), DstAddr: tcpip.AddrFrom4(address.As4()),
	})
	ip.SetChecksum(^ip.CalculateChecksum())
	fields.DataOffset, fields.WindowSize = header.TCPMinimumSize, 1<<15
	segment := header.TCP(ip.Payload())
	segment.Encode(&fields)
	sum := header.PseudoHeaderChecksum(header.TCPProtocolNumber, ip.SourceAddress(), ip.DestinationAddress(), header.TCPMinimumSize)
	segment.SetChecksum(^segment.CalculateChecksum(sum))
	return frame
}
