package usernet

import (
	"net"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
)

// newSilentNetwork makes a network with a guest that answers nothing.
func newSilentNetwork(t *testing.T, o Options) *Network {
	t.Helper()
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	n.link.connect(func([][]byte) error { return nil })
	if err := n.stack.AddStaticNeighbor(nicID, ipv4.ProtocolNumber, fullAddress(guest, 0).Addr, guestMAC); err != nil {
		t.Fatal(err)
	}
	return n
}

// Of the connections to the gateway's ports that the guest never completes few are
// kept: the stack forgets none of them, see backlog.
func TestHalfOpenAtTheGateway(t *testing.T) {
	n := newSilentNetwork(t, Options{})
	listener, err := n.Listen(4000)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	before := len(n.stack.RegisteredEndpoints())
	for from := range uint16(1000) {
		for _, to := range []uint16{dnsPort, 4000} {
			n.link.receive(buffer.NewViewWithData(synTo(gateway, 1024+from, to)))
		}
	}
	kept := 0
	for deadline := time.Now().Add(time.Minute); kept == 0; kept = len(n.stack.RegisteredEndpoints()) - before {
		if time.Now().After(deadline) {
			t.Fatal("no connection was begun")
		}
	}
	if kept > 2*100 {
		t.Errorf("%d connections are kept", kept)
	}
}

// A guest that has used up a port's backlog reaches it all the same.
func TestConnectAfterHalfOpen(t *testing.T) {
	n, g := newNetwork(t, Options{}, streamFrames)
	listener, err := n.Listen(4000)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte("hello"))
			conn.Close()
		}
	}()
	g.deaf.Store(true) // it would answer by resets
	for from := range uint16(2 * backlog) {
		n.link.receive(buffer.NewViewWithData(synTo(gateway, 1024+from, 4000)))
	}
	g.deaf.Store(false)
	conn, err := gonet.DialContextTCP(t.Context(), g.stack, fullAddress(gateway, 4000), ipv4.ProtocolNumber)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	said := make([]byte, 5)
	if _, err := conn.Read(said); err != nil || string(said) != "hello" {
		t.Errorf("got %q, %v", said, err)
	}
}

// Connections to the outside that the guest never completes are forgotten, and with
// them what they take: google/gvisor#11535 was of such.
func TestHalfOpenAreForgotten(t *testing.T) {
	t.Parallel() // it waits for lingering
	n := newSilentNetwork(t, Options{HostLoopback: true})
	h := newHolder(t)
	port := uint16(h.Addr().(*net.TCPAddr).Port)
	before := len(n.stack.RegisteredEndpoints())
	for from := range uint16(200) {
		n.link.receive(buffer.NewViewWithData(synTo(host, 1024+from, port)))
	}
	began := false
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		kept := len(n.stack.RegisteredEndpoints()) - before
		began = began || kept > 0
		n.quota.mu.Lock()
		taken := DefaultConns - n.quota.connections
		n.quota.mu.Unlock()
		if began && kept == 0 && taken == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d endpoints are kept, and %d connections counted", kept, taken)
		}
	}
}
