package vm

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// echoServers answer on a port of TCP and UDP with who asks.
const echoServers = `use IO::Socket::INET; use IO::Select;
my $u = IO::Socket::INET->new(Proto => "udp", LocalPort => 7000) or die;
my $l = IO::Socket::INET->new(Listen => 50, LocalPort => 7000, ReuseAddr => 1) or die;
exit if fork;
open STDIN, "<", "/dev/null"; open STDOUT, ">", "/dev/null"; open STDERR, ">", "/dev/null";
my $all = IO::Select->new($u, $l);
while (1) { for my $s ($all->can_read) {
	if ($s == $u) { my $m; $u->recv($m, 65536); $u->send($u->peerhost . " " . length $m); next }
	my $c = $s->accept or next; my $n = 0; while (sysread($c, my $b, 1 << 20)) { $n += length $b } print $c $c->peerhost . " $n"; close $c;
} }`

// askPeer asks the servers of the host in its argument, and pings it.
const askPeer = `use IO::Socket::INET; use Socket; $SIG{ALRM} = sub { print "timeout\n"; exit }; alarm 300;
my $c = IO::Socket::INET->new(PeerAddr => "$ARGV[0]:7000");
if ($c) { print $c "x" x 300000; $c->flush; shutdown $c, 1; print "tcp ", <$c>, "\n" } else { print "tcp: $!\n" }
my $ip = inet_aton($ARGV[0]) or do { print "no name\n"; exit };
my $u = IO::Socket::INET->new(Proto => "udp", PeerAddr => inet_ntoa($ip) . ":7000");
$u->send("x" x 1000); my $m; print defined $u->recv($m, 65536) ? "udp $m\n" : "udp: $!\n";
socket(my $p, PF_INET, SOCK_RAW, 1); my $echo = pack("CCnnn", 8, 0, 0, 77, 1) . "abcdefgh"; my $sum = 0; $sum += $_ for unpack("n*", $echo);
$sum = ($sum & 0xffff) + ($sum >> 16); substr($echo, 2, 2) = pack("n", ~($sum + ($sum >> 16)) & 0xffff);
send($p, $echo, 0, pack_sockaddr_in(0, $ip));
while (1) { my $from = recv($p, my $got, 65536, 0); my ($type, $code, $sum, $id) = unpack("CCnn", substr($got, 20));
	if ($type == 3) { print "ping unreachable\n"; last } if ($type == 0 && $id == 77) { print "ping ", inet_ntoa((unpack_sockaddr_in($from))[1]), "\n"; last } }`

func (h *host) askPeer(from, to string) string {
	h.t.Helper()
	return h.ok("vm", "exec", from, "--", "perl", "-e", askPeer, to)
}

// whyNot is what a guest meets that connects to where it cannot.
func (h *host) whyNot(from, to string) string {
	h.t.Helper()
	const connect = `use IO::Socket::INET; IO::Socket::INET->new(PeerAddr => $ARGV[0]) and print "connected" or print $@`
	return h.ok("vm", "exec", from, "--", "perl", "-e", connect, to)
}

// startOnNetworks boots VMs on the networks that they have by name.
func (h *host) startOnNetworks(vms map[string]string) {
	h.t.Helper()
	var all sync.WaitGroup
	for name, networks := range vms {
		h.ok("vm", "create", "--image", "debian", "--memory", "256M", "--name", name, "--network", networks)
		all.Go(func() {
			if r := h.banger("vm", "start", name); r.code != 0 {
				h.t.Error(r.stderr)
			}
		})
	}
	all.Wait()
	for name := range vms {
		h.ok("vm", "exec", name, "--", "perl", "-e", echoServers)
	}
}

// addressIn is a VM's address in a network.
func (h *host) addressIn(name, network string) string {
	h.t.Helper()
	for _, n := range h.show(name).Networks {
		if at, _, _ := strings.Cut(n.Address, "/"); n.Network == network {
			return at
		}
	}
	h.t.Fatalf("%s is not on %s", name, network)
	return ""
}

// VMs on a network, and others that are not on it.
func TestNetwork(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.ok("network", "create", "lab", "--subnet", "10.77.0.0/24")
	h.ok("network", "create", "closed", "--internal", "--subnet", "10.78.0.0/24")
	h.startOnNetworks(map[string]string{"a": "lab", "b": "lab,closed", "c": "closed"})
	address := h.addressIn
	a, b, c := address("a", "lab"), address("b", "lab"), address("c", "closed")
	want := func(from, to, as, at string) {
		t.Helper()
		if got := h.askPeer(from, to); got != "tcp "+as+" 300000\nudp "+as+" 1000\nping "+at+"\n" {
			t.Errorf("%s hears of %s: %s", from, to, got)
		}
	}
	want("a", "b", a, b)
	want("b", "a.banger.internal", b, a)
	want("b", "c", address("b", "closed"), c)
	if got := h.ok("vm", "exec", "a", "--", "sh", "-c", "getent hosts a; ip -4 -o addr show eth0"); !strings.HasPrefix(got, a) || !strings.Contains(got, a+"/24") {
		t.Errorf("a has %s", got)
	}
	// Who is not on a network does not reach it, and from an internal one nobody
	// anything else.
	for _, to := range [][2]string{{"a", "c:7000"}, {"c", "a.banger.internal:7000"}} {
		if got := h.whyNot(to[0], to[1]); !strings.Contains(got, "Bad hostname") {
			t.Errorf("%s knows %s: %s", to[0], to[1], got)
		}
	}
	for _, to := range []string{a + ":7000", "198.51.100.1:80"} {
		if got := h.whyNot("c", to); !strings.Contains(got, "Connection refused") {
			t.Errorf("c meets %q at %s", got, to)
		}
	}
	if log := h.ok("vm", "logs", "c", "--network"); !strings.Contains(log, "denied tcp 198.51.100.1:80 [] by internal network closed\n") {
		t.Errorf("the log has %s", log)
	}

	// A rule is heeded at once, for what its guest begins.
	h.ok("vm", "policy", "a", "--deny", "b:7000")
	if got := h.askPeer("a", "b"); !strings.HasPrefix(got, "tcp: Connection refused\nudp: Connection refused\nping "+b) {
		t.Errorf("by its rule, a hears of b: %s", got)
	}
	want("b", "a", b, a)
	h.ok("vm", "policy", "a", "--remove", "b:7000")

	// One that ends is gone at once, and the same when it is back.
	h.stop("b")
	if got := h.whyNot("a", "b:7000"); !strings.Contains(got, "Bad hostname") {
		t.Errorf("a meets %q where b was by name", got)
	}
	if got := h.whyNot("a", b+":7000"); !strings.Contains(got, "No route to host") {
		t.Errorf("a meets %q where b was", got)
	}
	h.fails("is used by vm a, vm b", "network", "rm", "lab")
	h.ok("vm", "start", "b")
	h.ok("vm", "exec", "b", "--", "perl", "-e", echoServers)
	if again := address("b", "lab"); again != b {
		t.Errorf("b was at %s and is at %s", b, again)
	}
	want("a", "b", a, b)

	// A copy that goes on is at an address of its own.
	h.ok("vm", "fork", "b", "e")
	want("a", "e", a, address("e", "lab"))
	want("b", "e", b, address("e", "lab"))
	h.killInNetwork("e", "a", "lab")
	for _, name := range []string{"a", "b", "c", "e"} {
		h.ok("vm", "rm", "--force", name)
	}
	h.ok("network", "rm", "lab", "closed")
	h.wantNothingLeft()
}

// killInNetwork kills a VM's supervisor, which another VM finds out without a command
// of banger's that would clear up. Then nothing is left of it there, and it can be
// back at its address.
func (h *host) killInNetwork(name, from, network string) {
	h.t.Helper()
	at := h.addressIn(name, network)
	socket := filepath.Join(h.home, ".local/state/banger/networks", network, "peers", name)
	if _, err := os.Stat(socket); err != nil {
		h.t.Error(err)
	}
	supervisor := h.supervisorOf(name)
	ended, err := pidfd(supervisor)
	h.must(err)
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	asks := h.command(ctx, "vm", "exec", from, "--", "sh", "-c", `echo ready; read go; getent hosts `+name+` || echo gone`)
	in, err := asks.StdinPipe()
	h.must(err)
	out, err := asks.StdoutPipe()
	h.must(err)
	h.must(asks.Start())
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); line != "ready\n" {
		h.t.Fatalf("%q, %v", line, err)
	}
	h.must(syscall.Kill(supervisor, syscall.SIGKILL))
	awaitEnd(h.t, ended)
	_, err = io.WriteString(in, "go\n")
	h.must(err)
	if line, _ := lines.ReadString('\n'); line != "gone\n" {
		h.t.Errorf("a name that nobody has leads to %s", line)
	}
	asks.Wait()
	if got := h.whyNot(from, at+":7000"); !strings.Contains(got, "No route to host") {
		h.t.Errorf("%s meets %q where %s was", from, got, name)
	}
	if _, err := os.Stat(socket); !errors.Is(err, fs.ErrNotExist) {
		h.t.Errorf("its socket is left: %v", err)
	}
	h.ok("vm", "start", name)
	h.ok("vm", "exec", name, "--", "perl", "-e", echoServers)
	if again := h.addressIn(name, network); again != at {
		h.t.Errorf("it was at %s and is at %s", at, again)
	}
	if got := h.askPeer(from, name); !strings.Contains(got, " 300000\n") || !strings.Contains(got, "ping "+at) {
		h.t.Errorf("when it is back, %s hears %s", from, got)
	}
}
