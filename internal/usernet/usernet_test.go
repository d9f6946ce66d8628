package usernet

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/agentapi"
)

func TestOutside(t *testing.T) {
	for _, test := range []struct {
		address   string
		allowed   bool
		afterward string // where the host's loopback is allowed
	}{
		{"1.1.1.1", true, "1.1.1.1"},
		{"10.0.0.1", true, "10.0.0.1"},
		{"192.168.1.20", true, "192.168.1.20"},
		{agentapi.HostIP, false, "127.0.0.1"},
		{agentapi.GatewayIP, false, ""},
		{agentapi.GuestIP, false, ""},
		{"192.168.127.77", false, ""},
		{"127.0.0.1", false, ""},
		{"127.9.9.9", false, ""},
		{"0.0.0.0", false, ""},
		{"0.1.2.3", false, ""},
		{"169.254.169.254", false, ""},
		{"224.0.0.251", false, ""},
		{"240.0.0.1", false, ""},
		{"255.255.255.255", false, ""},
	} {
		a := netip.MustParseAddr(test.address)
		if _, ok := new(Network).outside(a); ok != test.allowed {
			t.Errorf("outside(%s) = %v, want %v", a, ok, test.allowed)
		}
		n := &Network{options: Options{HostLoopback: true}}
		if got, ok := n.outside(a); ok != (test.afterward != "") || ok && got.String() != test.afterward {
			t.Errorf("with the host's loopback: outside(%s) = %s, %v, want %q", a, got, ok, test.afterward)
		}
	}
}

func TestGuestReachesTheHostsLoopbackWhereAllowed(t *testing.T) {
	address := atHost(echoTCP(t))
	_, g := newNetwork(t, Options{HostLoopback: true}, streamFrames)
	conn := g.mustDial("tcp", address)
	if _, err := io.WriteString(conn, "hello"); err != nil {
		t.Fatal(err)
	}
	conn.(interface{ CloseWrite() error }).CloseWrite()
	if got, err := io.ReadAll(conn); string(got) != "hello" || err != nil {
		t.Errorf("the host echoed %q, %v after the guest's half of the connection was closed", got, err)
	}
}

// What listens on the host's loopback by IPv6 alone is there too.
func TestGuestReachesTheHostsLoopbackByIPv6(t *testing.T) {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	_, g := newNetwork(t, Options{HostLoopback: true}, streamFrames)
	checkEcho(t, g.mustDial("tcp", atHost(serveEcho(t, l))))
}

func TestGuestIsRefused(t *testing.T) {
	local := echoTCP(t)
	_, port, _ := net.SplitHostPort(local)
	for name, test := range map[string]struct {
		options Options
		address string
	}{
		"the host's loopback":        {Options{}, atHost(local)},
		"a port that nobody has":     {Options{HostLoopback: true}, net.JoinHostPort(agentapi.HostIP, unusedPort(t))},
		"a port of the gateway":      {Options{HostLoopback: true}, net.JoinHostPort(agentapi.GatewayIP, port)},
		"the cloud's metadata":       {Options{HostLoopback: true}, "169.254.169.254:80"},
		"an address that means here": {Options{HostLoopback: true}, "0.0.0.0:" + port},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // some take the guest's stack seconds to find out
			_, g := newNetwork(t, test.options, streamFrames)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			conn, err := g.dial(ctx, "tcp", test.address)
			if err == nil {
				conn.Close()
				t.Fatal("the guest could connect")
			}
		})
	}
}

func TestListenAndDial(t *testing.T) {
	n, g := newNetwork(t, Options{}, streamFrames)
	l, err := n.Listen(agentapi.LinkPort)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	inGuest := g.listen(agentapi.SSHPort)

	fromGuest := g.mustDial("tcp", net.JoinHostPort(agentapi.GatewayIP, "1023"))
	atGateway, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer atGateway.Close()
	checkTalk(t, fromGuest, atGateway)

	toGuest, err := n.Dial(t.Context(), agentapi.SSHPort)
	if err != nil {
		t.Fatal(err)
	}
	defer toGuest.Close()
	atGuest, err := inGuest.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer atGuest.Close()
	checkTalk(t, atGuest, toGuest)
}

func TestDialEndsWithItsContext(t *testing.T) {
	n, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if conn, err := n.Dial(ctx, agentapi.SSHPort); err == nil {
		conn.Close()
		t.Error("Dial reached a guest that is not there")
	}
}

func TestServeStreamEnds(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(cancel func(), n *Network, peer net.Conn)
		want string
	}{
		"with its context":     {func(cancel func(), _ *Network, _ net.Conn) { cancel() }, "closed"},
		"with the network":     {func(_ func(), n *Network, _ net.Conn) { n.Close() }, "closed"},
		"with the connection":  {func(_ func(), _ *Network, peer net.Conn) { peer.Close() }, "EOF"},
		"at too long a frame":  {writes(binary.BigEndian.AppendUint32(nil, maxFrame+1)), "frame of"},
		"at too short a frame": {writes([]byte{0, 0, 0, 13}), "frame of 13 bytes"},
		"at half a frame": {func(_ func(), _ *Network, peer net.Conn) {
			peer.Write([]byte{0, 0, 0, 60, 1, 2, 3})
			peer.Close()
		}, "ends early"},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := New(Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			ours, peer := socketPair(t, unix.SOCK_STREAM)
			defer peer.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error)
			go func() { ended <- n.ServeStream(ctx, ours) }()
			test.do(cancel, n, peer)
			err = <-ended
			closedFirst := errors.Is(err, ErrClosed) && name == "with the network"
			if !closedFirst && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("ServeStream = %v, want %q in it", err, test.want)
			}
			if _, err := peer.Read(make([]byte, 1)); err == nil {
				t.Error("the connection was left open")
			}
		})
	}
}

func writes(data []byte) func(func(), *Network, net.Conn) {
	return func(_ func(), _ *Network, peer net.Conn) { peer.Write(data) }
}

// TestCloseLeavesNothing closes a network that is in use.
func TestCloseLeavesNothing(t *testing.T) {
	tcpAddress, udpAddress := atHost(echoTCP(t)), atHost(echoUDP(t))
	var names bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&names, 1)
	before := runtime.NumGoroutine()
	t.Run("use", func(t *testing.T) {
		n, g := newNetwork(t, Options{HostLoopback: true}, streamFrames)
		l, err := n.Listen(agentapi.LinkPort)
		if err != nil {
			t.Fatal(err)
		}
		g.listen(agentapi.SSHPort)
		accepted := make(chan error)
		go func() {
			_, err := l.Accept()
			accepted <- err
		}()
		checkEcho(t, g.mustDial("tcp", tcpAddress))
		checkEcho(t, g.mustDial("udp", udpAddress))
		if _, err := n.Dial(t.Context(), agentapi.SSHPort); err != nil {
			t.Fatal(err)
		}
		n.Close()
		l.Close()
		if err := <-accepted; err == nil {
			t.Error("Accept went on after Close")
		}
		if _, err := n.Listen(7); err == nil {
			t.Error("Listen went on after Close")
		}
	})
	// The echo servers at the other ends notice a little later.
	for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; {
		if time.Now().After(deadline) {
			var after bytes.Buffer
			pprof.Lookup("goroutine").WriteTo(&after, 1)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, after.String())
		}
		runtime.Gosched()
	}
}

func checkTalk(t *testing.T, a, b net.Conn) {
	t.Helper()
	for _, end := range [][2]net.Conn{{a, b}, {b, a}} {
		if _, err := io.WriteString(end[0], "ping"); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 4)
		if _, err := io.ReadFull(end[1], got); err != nil || string(got) != "ping" {
			t.Errorf("%q arrived, %v", got, err)
		}
	}
}

func checkEcho(t *testing.T, conn net.Conn) {
	t.Helper()
	checkTalk(t, conn, conn)
}
