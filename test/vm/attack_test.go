package vm

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "embed"
)

// attack sends frames past the guest's own stack. Its arguments are the UDP and
// the TCP port, and the addresses to attack.
//
//go:embed testdata/attack.pl
var attack string

// target is a server of the host's on all its addresses, which notes who comes.
type target struct {
	port int

	mu   sync.Mutex
	came []string
}

func newTarget(t *testing.T) *target {
	t.Helper()
	tcp, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tcp.Close() })
	at := &target{port: tcp.Addr().(*net.TCPAddr).Port}
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{Port: at.port})
	if err != nil {
		t.Skip(err) // the same number is taken
	}
	t.Cleanup(func() { udp.Close() })
	go func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			at.note("tcp " + conn.LocalAddr().String())
			conn.Close()
		}
	}()
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, _, err := udp.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			at.note("udp " + string(buf[:min(n, 40)]))
		}
	}()
	return at
}

func (s *target) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.came = append(s.came, what)
}

func (s *target) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.came, "\n")
}

// Root in the guest sends what no honest stack would: other senders' addresses,
// fragments, segments of no connection. Nothing of it comes to what is closed.
func TestAttackFromRoot(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	addresses := []string{"192.168.127.254", "192.168.127.1", "127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "255.255.255.255"}
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range own {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
			addresses = append(addresses, p.Addr().String())
		}
	}
	for _, tt := range []struct {
		flags []string
		open  bool
	}{{[]string{"--host-loopback"}, true}, {[]string{"--egress", "all", "--allow", "0.0.0.0/0"}, false}} {
		server := newTarget(t)
		port := strconv.Itoa(server.port)
		run := append([]string{"vm", "run", "--rm", "--image", "debian"}, tt.flags...)
		sent := h.ok(append(append(run, "--", "perl", "-e", attack, port), addresses...)...)
		if !strings.Contains(sent, "sent") {
			t.Fatalf("the guest says %q", sent)
		}
		if tt.open {
			// Which shows that the attack comes to what is open.
			if came := server.all(); !strings.Contains(came, "udp whole") || !strings.Contains(came, "udp parts") || !strings.Contains(came, "tcp ") {
				t.Errorf("with %q there came\n%s", tt.flags, came)
			}
			continue
		}
		time.Sleep(time.Second) // the guest is gone, and with it what carried
		if came := server.all(); came != "" {
			t.Errorf("with %q there came\n%s", tt.flags, came)
		}
	}
}
