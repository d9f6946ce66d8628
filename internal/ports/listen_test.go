package ports

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fakeGuest is a guest whose ports are the host's.
type fakeGuest struct {
	tcp, udp string
}

func (g fakeGuest) ForwardTCP(_ context.Context, conn *net.TCPConn, _ uint16) error {
	server, err := net.Dial("tcp", g.tcp)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer server.Close()
	go func() {
		io.Copy(server, conn)
		server.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(conn, server)
	return nil
}

func (g fakeGuest) DialUDP(context.Context, uint16) (net.Conn, error) { return net.Dial("udp", g.udp) }

func open(t *testing.T, text string, guest Guest) *Listener {
	t.Helper()
	specs, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen(specs[0], func() (Guest, error) {
		if guest == nil {
			return nil, errors.New("no guest")
		}
		return guest, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func TestListenTCP(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
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
				defer conn.Close()
				io.Copy(conn, conn)
			}()
		}
	}()
	for _, text := range []string{"0:80", "[::1]::80", "127.0.0.2::80"} {
		l := open(t, text, fakeGuest{tcp: server.Addr().String()})
		if l.Spec().HostPort == 0 {
			t.Errorf("%s: which port was opened is not told", text)
		}
		conn, err := net.Dial("tcp", l.Spec().Host().String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, "hello")
		conn.(*net.TCPConn).CloseWrite()
		if got, err := io.ReadAll(conn); string(got) != "hello" || err != nil {
			t.Errorf("%s: got %q, %v", text, got, err)
		}
		conn.Close()
	}
}

// Where there is no guest, or nobody listens in it, the client hears so.
func TestRefused(t *testing.T) {
	for name, guest := range map[string]Guest{"no guest": nil, "no server": fakeGuest{tcp: "127.0.0.1:1"}} {
		l := open(t, "0:80", guest)
		conn, err := net.Dial("tcp", l.Spec().Host().String())
		if err == nil {
			_, err = conn.Read(make([]byte, 1))
			conn.Close()
		}
		if !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("%s: the client met %v, want a reset", name, err)
		}
	}
}

func TestListenUDP(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		buf := make([]byte, maxDatagram)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			server.WriteTo(buf[:n], from)
		}
	}()
	for _, text := range []string{"0:53/udp", "[::1]::53/udp"} {
		l := open(t, text, fakeGuest{udp: server.LocalAddr().String()})
		for _, sent := range []string{"a", strings.Repeat("b", 60000)} {
			conn, err := net.Dial("udp", l.Spec().Host().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(time.Minute))
			buf := make([]byte, maxDatagram)
			io.WriteString(conn, sent)
			n, err := conn.Read(buf)
			if err != nil || string(buf[:n]) != sent {
				t.Errorf("%s: %d bytes came back, %v; want %d", text, n, err, len(sent))
			}
		}
	}
}

// One client more takes the place of the one that was heard of least lately, and what
// a guest does not take is bounded, and keeps no other client out.
func TestManyClients(t *testing.T) {
	opened := make(chan net.Conn, maxFlows+1)
	l := &Listener{guest: func() (Guest, error) { return pipeGuest{opened}, nil }}
	l.ctx, l.cancel = context.WithCancel(t.Context())
	defer l.Close()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	c := &clients{Listener: l, socket: socket, flows: map[netip.AddrPort]*flow{}}
	var first net.Conn
	for i := range maxFlows + 1 {
		client := netip.AddrPortFrom(loopback, uint16(1000+i))
		c.send(client, []byte("hello"))
		guest := <-opened
		if i == 0 {
			first = guest
		}
		buf := make([]byte, 10)
		if n, err := guest.Read(buf); string(buf[:n]) != "hello" || err != nil {
			t.Fatalf("client %d: the guest got %q, %v", i, buf[:n], err)
		}
		for range 2 * maxQueue { // which nobody reads
			c.send(client, make([]byte, 10_000))
		}
	}
	if _, err := io.Copy(io.Discard, first); err != nil {
		t.Errorf("the first client is still there: %v", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.flows) != maxFlows || c.waiting > maxWaiting+maxFlows*10_000 {
		t.Errorf("%d clients, and %d bytes wait", len(c.flows), c.waiting)
	}
}

// pipeGuest gives the test its side of each socket.
type pipeGuest struct{ opened chan net.Conn }

func (pipeGuest) ForwardTCP(context.Context, *net.TCPConn, uint16) error { return net.ErrClosed }

func (g pipeGuest) DialUDP(context.Context, uint16) (net.Conn, error) {
	ours, theirs := net.Pipe()
	g.opened <- theirs
	return ours, nil
}

func TestTaken(t *testing.T) {
	for _, protocol := range []string{"tcp", "udp"} {
		l := open(t, "0:80/"+protocol, nil)
		_, err := Listen(l.Spec(), nil)
		var taken *TakenError
		if !errors.As(err, &taken) || !strings.Contains(taken.By, "ports.test") || taken.Spec != l.Spec() {
			t.Errorf("%s: got %v (%d is this process)", protocol, err, os.Getpid())
		}
	}
	// Who has the port of another address does not have this one.
	elsewhere := open(t, "127.0.0.2::80", nil).Spec()
	if elsewhere.HostIP = loopback; holder(elsewhere) != "" {
		t.Errorf("%s has 127.0.0.1 by 127.0.0.2", holder(elsewhere))
	}
	s := Spec{HostIP: netip.MustParseAddr("192.0.2.1"), HostPort: 1, GuestPort: 1, Protocol: TCP}
	if _, err := Listen(s, nil); err == nil || errors.As(err, new(*TakenError)) {
		t.Errorf("an address of nobody's: got %v", err)
	}
}

func TestHas(t *testing.T) {
	for _, tt := range []struct {
		local, wanted string
		has           bool
	}{
		{"0100007F:1F90", "127.0.0.1:8080", true},
		{"0100007F:1F90", "127.0.0.1:8081", false},
		{"0200007F:1F90", "127.0.0.1:8080", false},
		{"00000000:1F90", "127.0.0.1:8080", true},
		{"0200007F:1F90", "0.0.0.0:8080", true},
		{"00000000000000000000000000000000:1F90", "127.0.0.1:8080", true},
		{"00000000000000000000000001000000:1F90", "[::1]:8080", true},
		{"00000000000000000000000001000000:1F90", "127.0.0.1:8080", false},
		{"0000000000000000FFFF00000100007F:1F90", "127.0.0.1:8080", true},
		{"no:1F90", "127.0.0.1:8080", false},
	} {
		if got := has(tt.local, netip.MustParseAddrPort(tt.wanted)); got != tt.has {
			t.Errorf("%s has %s: %v", tt.local, tt.wanted, got)
		}
	}
}

func TestClose(t *testing.T) {
	blocked := make(chan struct{})
	l := open(t, "0:80", blockingGuest{blocked})
	conn, err := net.Dial("tcp", l.Spec().Host().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	<-blocked
	l.Close()
	if _, err := net.Dial("tcp", l.Spec().Host().String()); err == nil {
		t.Error("the port is still open")
	}
}

// blockingGuest accepts and does nothing until the connection is closed.
type blockingGuest struct{ at chan struct{} }

func (g blockingGuest) ForwardTCP(_ context.Context, conn *net.TCPConn, _ uint16) error {
	close(g.at)
	_, err := conn.Read(make([]byte, 1))
	return err
}

func (blockingGuest) DialUDP(context.Context, uint16) (net.Conn, error) { return nil, net.ErrClosed }
