package vm

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

type openPort struct {
	HostIP    netip.Addr `json:"host_ip"`
	HostPort  uint16     `json:"host_port"`
	GuestPort int        `json:"guest_port"`
	Protocol  string     `json:"protocol"`
}

// servers are one on the guest's loopback, which answers once it has heard all,
// one on every address, and two of datagrams that do likewise.
const servers = `use IO::Socket::INET; use IO::Select;
my @u = map { IO::Socket::INET->new(Proto => "udp", LocalAddr => $_) or die } "0.0.0.0:5353", "127.0.0.1:5354";
my @l = map { IO::Socket::INET->new(Listen => 500, LocalAddr => $_, ReuseAddr => 1) or die } "127.0.0.1:8000", "0.0.0.0:8001", "127.0.0.1:8002";
exit if fork;
open STDIN, "<", "/dev/null"; open STDOUT, ">", "/dev/null"; open STDERR, ">", "/dev/null";
$SIG{CHLD} = "IGNORE";
my $all = IO::Select->new(@u, @l);
while (1) { for my $s ($all->can_read) {
	if (grep { $s == $_ } @u) { my $m; $s->recv($m, 65536); $s->send($m); next }
	my $c = $s->accept or next;
	if (!fork) { my $n = 0; while (sysread($c, my $b, 65536)) { $n += length $b } print $c "got $n\n"; exit }
} }`

func TestPorts(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.ok("vm", "run", "--image", "debian", "--name", "box", "-p", "0:8000", "-p", "[::1]::8001", "-p", "0:5353/udp", "-p", "[::1]::5354/udp", "-p", "0:9", "-P",
		"--", "perl", "-e", servers)
	ports := h.openPorts("box")
	for _, guest := range []int{8000, 8001} {
		if got := askTCP(t, ports[guest]); got != "got 300000\n" {
			t.Errorf("port %d answered %q", guest, got)
		}
	}
	if _, err := netOf(t, ports[9]).Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a port that nobody listens on: %v", err)
	}
	for _, guest := range []int{5353, 5354} {
		datagrams, err := net.Dial("udp", ports[guest].String())
		h.must(err)
		defer datagrams.Close()
		for _, size := range []int{5, 1400, 60000} {
			if err := echoed(datagrams, strings.Repeat("d", size)); err != nil {
				t.Errorf("of port %d %d bytes did not come back: %v", guest, size, err)
			}
		}
	}

	// What nobody asked for is there too, while a program listens.
	if got := askTCP(t, h.awaitPort("box", 8002, true)); got != "got 300000\n" {
		t.Errorf("a port that was found answered %q", got)
	}
	h.ok("vm", "exec", "box", "--", "pkill", "-x", "perl")
	h.awaitPort("box", 8002, false)

	h.fails("is taken by vm box", "vm", "run", "--image", "debian", "--name", "late", "-p", ports[8000].String()+":1", "--", "true")
	h.fails("no vm is called", "vm", "show", "late")

	h.stop("box")
	if left := h.ok("vm", "port", "box", "--json"); strings.TrimSpace(left) != "[]" {
		t.Errorf("a VM that is stopped has ports: %s", left)
	}
	h.ok("vm", "start", "box")
	h.ok("vm", "exec", "box", "--", "perl", "-e", servers)
	if got := askTCP(t, h.openPorts("box")[8000]); got != "got 300000\n" {
		t.Errorf("after another start the port answered %q", got)
	}
	h.ok("vm", "rm", "--force", "box")
	h.wantNothingLeft()
}

// awaitPort waits until a port of the guest has one of the host, or has none.
func (h *host) awaitPort(name string, guest int, open bool) netip.AddrPort {
	h.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if at, is := h.openPorts(name)[guest]; is == open {
			return at
		}
	}
	h.t.Fatalf("port %d of the guest: open is not %v", guest, open)
	return netip.AddrPort{}
}

// openPorts are the host's sides by the guest's ports.
func (h *host) openPorts(name string) map[int]netip.AddrPort {
	h.t.Helper()
	var open []openPort
	h.must(json.Unmarshal([]byte(h.ok("vm", "port", name, "--json")), &open))
	ports := map[int]netip.AddrPort{}
	for _, p := range open {
		ports[p.GuestPort] = netip.AddrPortFrom(p.HostIP, p.HostPort)
	}
	return ports
}

// echoed sends a datagram until it comes back: nobody promises that one arrives.
func echoed(conn net.Conn, text string) (err error) {
	buf := make([]byte, 1<<16)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if _, err = io.WriteString(conn, text); err != nil {
			return err
		}
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		var n int
		for err == nil {
			if n, err = conn.Read(buf); string(buf[:n]) == text {
				return nil
			}
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return err
}

func netOf(t *testing.T, at netip.AddrPort) *net.TCPConn {
	t.Helper()
	conn, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// askTCP sends much, closes its half, and returns the answer.
func askTCP(t *testing.T, at netip.AddrPort) string {
	t.Helper()
	conn := netOf(t, at)
	if _, err := io.WriteString(conn, strings.Repeat("x", 300000)); err != nil {
		t.Fatal(err)
	}
	conn.CloseWrite()
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Error(err)
	}
	return string(got)
}
