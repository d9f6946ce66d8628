package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"
)

const (
	portVM, peerVM, portNetwork = "bench-port", "bench-peer", "bench-port"

	smallRequests = 200
	manyConns     = 1000
	manyGoal      = 40 << 10 // KiB
)

// portServer takes, gives or says again, as each line asks it to.
const portServer = `use IO::Socket::INET; use IO::Select;
my $l = IO::Socket::INET->new(Listen => 1000, LocalPort => 7000, ReuseAddr => 1) or die;
exit if fork;
open STDIN, "<", "/dev/null"; open STDOUT, ">", "/dev/null"; open STDERR, ">", "/dev/null";
my $all = IO::Select->new($l); my $chunk = "x" x 65536;
while (1) { for my $s ($all->can_read) {
	if ($s == $l) { my $c = $l->accept; $all->add($c) if $c; next }
	my $n = sysread $s, my $b, 4096;
	if (!$n) { $all->remove($s); close $s }
	elsif ($b =~ s/^take (\d+)\n//) { my $left = $1 - length $b; while ($left > 0) { $left -= sysread($s, my $x, 1 << 20) || last } syswrite $s, "done\n" }
	elsif ($b =~ /^give (\d+)\n/) { my $left = $1; while ($left > 0) { $left -= syswrite($s, $chunk, $left < 65536 ? $left : 65536) || last } }
	else { syswrite $s, $b }
} }`

// portClient takes from the server of another guest and gives to it, and prints how
// long each took, in seconds.
const portClient = `use IO::Socket::INET; use Time::HiRes "time"; my ($at, $size) = @ARGV;
my $c = IO::Socket::INET->new(PeerAddr => $at) or die; my $chunk = "x" x 65536; my $begin = time;
syswrite $c, "take $size\n"; for (my $left = $size; $left > 0;) { $left -= syswrite $c, $chunk } sysread $c, my $done, 5;
my $there = time - $begin; $begin = time;
syswrite $c, "give $size\n"; for (my $left = $size; $left > 0;) { $left -= sysread($c, my $x, 1 << 20) || die } print $there, " ", time - $begin, "\n"`

// port measures what goes through a port of the host into a guest, and between two
// guests, and what many connections have the supervisor take.
func (b bench) port(ctx context.Context) (err error) {
	if _, err := b.say(ctx, "network", "create", portNetwork); err != nil {
		return err
	}
	defer func() {
		for _, args := range []string{"vm rm --force " + portVM, "vm rm --force " + peerVM, "network rm " + portNetwork} {
			_, e := b.say(ctx, strings.Fields(args)...)
			err = errors.Join(err, e)
		}
	}()
	if err := errors.Join(b.serve(ctx, portVM, "-p", "0:7000"), b.serve(ctx, peerVM)); err != nil {
		return err
	}
	out, err := b.say(ctx, "vm", "port", portVM, "--json")
	if err != nil {
		return err
	}
	var ports []struct {
		HostPort int `json:"host_port"`
	}
	if err := json.Unmarshal(out, &ports); err != nil || len(ports) == 0 {
		return fmt.Errorf("no port is open: %w: %s", err, out)
	}
	p := guestPort(fmt.Sprintf("127.0.0.1:%d", ports[0].HostPort))
	if err := errors.Join(p.latency(), p.throughput(b.pairs), b.between(ctx)); err != nil {
		return err
	}
	return p.many(func() (int, error) { return b.supervisorMemory(ctx) })
}

// say runs a banger command and returns its output.
func (b bench) say(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, b.banger, append([]string{"-q"}, args...)...)
	cmd.Stderr = os.Stderr
	return cmd.Output()
}

// serve boots a guest with the server.
func (b bench) serve(ctx context.Context, name string, args ...string) error {
	args = append([]string{"vm", "run", "--image", "debian", "--kernel", b.kernel, "--network", portNetwork, "--name", name}, args...)
	_, err := b.say(ctx, append(args, "--", "sh", "-c", `ulimit -n 8192; exec perl -e "$0"`, portServer)...)
	return err
}

// between measures from one guest to the other.
func (b bench) between(ctx context.Context) error {
	var there, back sample
	for range b.pairs {
		out, err := b.say(ctx, "vm", "exec", peerVM, "--", "perl", "-e", portClient, fmt.Sprintf("%s:%d", portVM, servedPort), fmt.Sprint(carried))
		var seconds [2]float64
		if _, scanErr := fmt.Sscan(string(out), &seconds[0], &seconds[1]); err != nil || scanErr != nil {
			return fmt.Errorf("between guests: %w: %s", errors.Join(err, scanErr), out)
		}
		there, back = append(there, time.Duration(seconds[0]*1e9)), append(back, time.Duration(seconds[1]*1e9))
	}
	fmt.Printf("TCP between two guests: %s there, %s back\n", rate(there), rate(back))
	return nil
}

// guestPort is the host's side of a port.
type guestPort string

func (p guestPort) dial() (net.Conn, error) { return net.DialTimeout("tcp", string(p), time.Minute) }

// ask has a few bytes said again.
func ask(conn net.Conn) error {
	word := []byte("ask\n")
	if _, err := conn.Write(word); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, word)
	return err
}

// askAnew is how long a small request takes by a connection of its own.
func (p guestPort) askAnew() (time.Duration, error) {
	begin := time.Now()
	conn, err := p.dial()
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	err = ask(conn)
	return time.Since(begin), err
}

func (p guestPort) latency() error {
	kept, err := p.dial()
	if err != nil {
		return err
	}
	defer kept.Close()
	fresh, there, err := inTurn(smallRequests, p.askAnew, func() (time.Duration, error) {
		begin := time.Now()
		err := ask(kept)
		return time.Since(begin), err
	})
	if err != nil {
		return err
	}
	fmt.Printf("a small request through -p:    %v\n", fresh)
	fmt.Printf("by a connection that is there: %v\n", there)
	return nil
}

func (p guestPort) throughput(pairs int) error {
	in, out, err := inTurn(pairs, p.give, p.take)
	if err != nil {
		return err
	}
	fmt.Printf("TCP through -p: into the guest %s, out of it %s\n", rate(in), rate(out))
	return nil
}

// give is how long it takes to send to the guest.
func (p guestPort) give() (time.Duration, error) {
	return p.transfer(fmt.Sprintf("take %d\n", carried), func(conn net.Conn) error {
		piece := make([]byte, 1<<20)
		for range carried / len(piece) {
			if _, err := conn.Write(piece); err != nil {
				return err
			}
		}
		_, err := bufio.NewReader(conn).ReadString('\n')
		return err
	})
}

// take is how long it takes to have it from the guest.
func (p guestPort) take() (time.Duration, error) {
	return p.transfer(fmt.Sprintf("give %d\n", carried), func(conn net.Conn) error {
		_, err := io.CopyN(io.Discard, conn, carried)
		return err
	})
}

func (p guestPort) transfer(order string, carry func(net.Conn) error) (time.Duration, error) {
	conn, err := p.dial()
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	begin := time.Now()
	if _, err := io.WriteString(conn, order); err != nil {
		return 0, err
	}
	err = carry(conn)
	return time.Since(begin), err
}

// many opens connections that have all said something, and prints what the supervisor
// takes then.
func (p guestPort) many(memory func() (kib int, err error)) error {
	for range manyConns {
		conn, err := p.dial()
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := ask(conn); err != nil {
			return err
		}
	}
	kib, err := memory()
	if err != nil {
		return err
	}
	fmt.Printf("the supervisor with %d connections through -p: %d KiB (goal %d)\n", manyConns, kib, manyGoal)
	return nil
}

// supervisorMemory is what the VM's supervisor has of memory now, in KiB.
func (b bench) supervisorMemory(ctx context.Context) (kib int, err error) {
	out, err := b.say(ctx, "vm", "show", portVM, "--json")
	if err != nil {
		return 0, err
	}
	var shown struct {
		State struct {
			VMMPID int `json:"vmm_pid"`
		}
	}
	if err := json.Unmarshal(out, &shown); err != nil {
		return 0, err
	}
	parent, err := statusOf(shown.State.VMMPID, "PPid: %d")
	if err != nil {
		return 0, err
	}
	return statusOf(parent, "VmRSS: %d kB")
}

// statusOf is a number that proc_pid_status(5) has.
func statusOf(pid int, format string) (number int, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if n, _ := fmt.Sscanf(line, format, &number); n == 1 {
			return number, nil
		}
	}
	return 0, fmt.Errorf("process %d has no %q", pid, format)
}
