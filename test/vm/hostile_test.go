package vm

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"banger/internal/agentapi"
)

// What a supervisor may take, whatever its guest does.
const (
	mostMemory   = 100 << 10 // KiB
	mostLog      = 5 << 20   // bytes, of each log
	spareHandles = 32        // of commands that are just ending
)

// TestHostileGuest has a guest do its worst, see testdata/hostile. Its owner's
// commands do what they do all the same, it takes little of the host, and what it
// took comes back.
func TestHostileGuest(t *testing.T) {
	h := newHost(t)
	sink, source := newPit(t, false), newPit(t, true)
	h.bootHostile("box")
	supervisor := h.supervisorPID()
	before := handles(t, supervisor)

	end := h.attack("box", sink, source)
	t.Logf("at work: %d connections and %d descriptors, %d KiB at the most", sink.count()+source.count(), handles(t, supervisor), peak(t, supervisor))
	h.standsFast("box", supervisor)
	end()
	sink.closeAll()
	source.closeAll()
	for deadline := time.Now().Add(patience); handles(t, supervisor) > before+spareHandles; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors are open, there were %d", handles(t, supervisor), before)
		}
	}
	h.standsFast("box", supervisor)
	t.Logf("afterwards %d descriptors of %d before, %d KiB at the most", handles(t, supervisor), before, peak(t, supervisor))
	h.within(time.Minute, "vm", "stop", "box")
	h.within(time.Minute, "vm", "rm", "box")
	h.wantNothingLeft()
}

// Whatever a guest does, it can be ended.
func TestHostileGuestIsEnded(t *testing.T) {
	for _, order := range []string{"stop --force", "rm --force"} {
		t.Run(order, func(t *testing.T) {
			h := newHost(t)
			h.bootHostile("box")
			h.attack("box", newPit(t, false), newPit(t, true), "-connections", "2000")
			h.within(time.Minute, append(append([]string{"vm"}, strings.Fields(order)...), "box")...)
			if running := h.processes(); len(running) > 1 { // the attack's own exec is ending
				t.Errorf("still there: %q", running)
			}
		})
	}
}

// The agent's link is root's in the guest to garble. Commands may break then, and
// are not hung; the guest can be ended.
func TestHostileAgent(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.bootHostile("box")
	supervisor := h.supervisorPID()
	h.ok("vm", "exec", "box", "--", "sh", "-c", "setsid /root/hostile -only agent < /dev/null > /dev/null 2>&1 &")
	for range 20 {
		h.banger("vm", "exec", "box", "true")
	}
	if got := peak(t, supervisor); got > mostMemory {
		t.Errorf("the supervisor took %d KiB", got)
	}
	h.within(time.Minute, "vm", "rm", "--force", "box")
	h.wantNothingLeft()
}

// bootHostile boots a VM that has the hostile program.
func (h *host) bootHostile(name string) {
	h.t.Helper()
	h.ok("vm", "run", "--image", "debian", "--memory", "512M", "--disk", "64M", "--host-loopback", "--name", name, "--", "true")
	if r := h.bangerWith(strings.NewReader(h.programOf("hostile")), "vm", "exec", name, "--", "sh", "-c", "cat > /root/hostile && chmod +x /root/hostile"); r.code != 0 {
		h.t.Fatal(r)
	}
}

// attack starts the hostile program in a VM and returns when it is at work; end
// kills it.
func (h *host) attack(name string, sink, source *pit, flags ...string) (end func()) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	args := []string{"vm", "exec", name, "--", "/root/hostile", "-sink", sink.inGuest(), "-source", source.inGuest()}
	cmd := h.command(ctx, append(args, flags...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	h.must(err)
	h.must(cmd.Start())
	end = sync.OnceFunc(func() { cancel(); cmd.Wait() })
	h.t.Cleanup(end)
	awaitText(h.t, out, "all at work")
	return end
}

// standsFast checks what has to hold of a VM under attack.
func (h *host) standsFast(name string, supervisor int) {
	h.t.Helper()
	if got := h.within(patience, "vm", "exec", name, "echo", "here"); got != "here\n" {
		h.t.Errorf("got %q", got)
	}
	h.within(time.Minute, "vm", "list")
	if got := peak(h.t, supervisor); got > mostMemory {
		h.t.Errorf("the supervisor took %d KiB", got)
	}
	for _, log := range []string{"supervisor.log", "console.log", "network.log", "vm.json"} {
		info, err := os.Stat(filepath.Join(h.home, ".local/state/banger/vms", name, log))
		h.must(err)
		if info.Size() > mostLog {
			h.t.Errorf("%s has %d bytes", log, info.Size())
		}
	}
}

// within is ok for what has to end in time.
func (h *host) within(limit time.Duration, args ...string) string {
	h.t.Helper()
	begin := time.Now()
	out := h.ok(args...)
	if took := time.Since(begin); took > limit {
		h.t.Errorf("banger %s took %s", strings.Join(args, " "), took)
	}
	return out
}

func handles(t *testing.T, pid int) int {
	t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

// peak is the most memory that a process has had, in KiB.
func peak(t *testing.T, pid int) (kib int) { return memory(t, pid, "VmHWM") }

// memory is an amount that proc_pid_status(5) has of a process, in KiB.
func memory(t *testing.T, pid int, of string) (kib int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		fmt.Sscanf(line, of+": %d kB", &kib)
	}
	return kib
}

// pit is a server of the host's that accepts every connection, never reads and,
// where it is to, sends without end.
type pit struct {
	listener net.Listener
	mu       sync.Mutex
	conns    []net.Conn
	closed   bool
}

func newPit(t *testing.T, sends bool) *pit {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &pit{listener: listener}
	t.Cleanup(p.closeAll)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if p.keep(conn) && sends {
				go func() {
					for endless := make([]byte, 64<<10); err == nil; _, err = conn.Write(endless) {
					}
				}()
			}
		}
	}()
	return p
}

func (p *pit) keep(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		conn.Close()
		return false
	}
	p.conns = append(p.conns, conn)
	return true
}

// inGuest is the server's address there.
func (p *pit) inGuest() string {
	return fmt.Sprintf("%s:%d", agentapi.HostIP, p.listener.Addr().(*net.TCPAddr).Port)
}

func (p *pit) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

func (p *pit) closeAll() {
	p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, conn := range p.conns {
		conn.Close()
	}
}
