package vm

import (
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A detached command runs on without its caller, is signalled, followed and
// waited for, and runs again at the next start.
func TestDetachedCommand(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	script := `trap 'echo heard; exit 3' USR1; echo begun >&2; while :; do :; done`
	if got := h.ok("run", "-d", "--image", "debian", "--name", "box", "--label", "a=b", "--", "sh", "-c", script); got != "box\n" {
		t.Errorf("printed %q", got)
	}
	h.fails("is running", "vm", "rename", "box", "other")
	h.ok("vm", "set", "--label", "c=d", "--cpus", "2", "box")
	if got := h.ok("vm", "list", "-q", "--filter", "label=c=d", "--filter", "status=running"); got != "box\n" {
		t.Errorf("listed %q", got)
	}
	follow := h.command(t.Context(), "logs", "-f", "box")
	stdout, err := follow.StdoutPipe()
	h.must(err)
	h.must(follow.Start())
	awaitText(t, stdout, "begun")
	h.ok("vm", "kill", "-s", "SIGUSR1", "box")
	if r := h.banger("vm", "wait", "box"); r.code != 3 || r.stdout != "3\n" {
		t.Errorf("waited: %+v", r)
	}
	if got := h.ok("logs", "box"); got != "begun\nheard\n" {
		t.Errorf("the log is %q", got)
	}
	if got := h.ok("logs", "--since", "2999-01-01", "box"); got != "" {
		t.Errorf("what is written in the future: %q", got)
	}
	h.fails("runs no command of its own", "vm", "kill", "-s", "TERM", "box")
	before := h.rootBlocks("box")
	h.ok("stop", "--timeout", "2m", "box")
	h.must(follow.Wait())
	if r := h.banger("vm", "wait", "box"); r.code != 3 {
		t.Errorf("waited for one that is stopped: %+v", r)
	}

	h.ok("vm", "set", "--disk", "9G", "box")
	h.ok("vm", "rename", "box", "crate")
	h.ok("start", "crate")
	if got := h.ok("exec", "crate", "sh", "-c", "hostname; nproc"); got != "crate\n2\n" {
		t.Errorf("after another start: %q", got)
	}
	if after := h.rootBlocks("crate"); after-before < 200_000 || after-before > 1<<18 {
		t.Errorf("a disk that grew by a gibibyte: %d blocks, %d before", after, before)
	}
	waited := make(chan result)
	go func() { waited <- h.banger("vm", "wait", "crate") }()
	h.ok("vm", "kill", "crate")
	if r := <-waited; r.code != 137 {
		t.Errorf("waited for one that was killed: %+v", r)
	}
	if got := h.ok("logs", "--boot", "-1", "crate"); got != "begun\nheard\n" {
		t.Errorf("the log before is %q", got)
	}
	h.ok("vm", "prune", "--label", "c")
	h.wantNothingLeft()
}

// rootBlocks is the size of a guest's root, in blocks of 4 KiB.
func (h *host) rootBlocks(name string) int {
	h.t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(h.ok("vm", "exec", name, "stat", "-fc", "%b", "/")))
	h.must(err)
	return n
}

// One that is to be removed is, with its command's end, and who waits hears how
// that was.
func TestDetachedCommandRemoved(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.ok("vm", "run", "-d", "--rm", "--image", "debian", "--name", "box", "--", "sh", "-c", "sleep 3; exit 4")
	supervisor, err := pidfd(h.supervisorPID())
	h.must(err)
	if r := h.banger("vm", "wait", "box"); r.code != 4 {
		t.Errorf("waited: %+v", r)
	}
	awaitEnd(t, supervisor)
	h.wantNothingLeft()
}

// A VM whose time is over goes, also where nobody looks; one that is in use has
// no idle time.
func TestTimeouts(t *testing.T) {
	h := newHost(t)
	h.ok("vm", "run", "-d", "--rm", "--image", "debian", "--name", "old", "--ttl", "1h")
	h.ok("vm", "run", "-d", "--image", "debian", "--name", "idle", "--idle-timeout", "1h")
	if got := h.ok("vm", "list", "--filter", "name=old", "--format", "{{.TTL}}"); !strings.HasSuffix(got, "m\n") {
		t.Errorf("left to live: %q", got)
	}
	h.ok("vm", "touch", "old", "idle")
	busy := h.command(t.Context(), "vm", "exec", "idle", "--", "sh", "-c", "echo up; sleep 8")
	stdout, err := busy.StdoutPipe()
	h.must(err)
	h.must(busy.Start())
	awaitText(t, stdout, "up")
	h.ok("vm", "set", "--idle-timeout", "2s", "idle")
	h.ok("vm", "set", "--ttl", "1s", "old")
	h.ok("vm", "wait", "old")
	h.fails("no vm is called", "vm", "show", "old")
	h.must(busy.Wait()) // it was no idle time
	h.ok("vm", "wait", "idle")
	if v := h.show("idle"); v.State.Phase != "stopped" || v.State.Reason != "it was idle for 2s" {
		t.Errorf("got %+v", v.State)
	}
	h.ok("vm", "rm", "idle")
	h.wantNothingLeft()
}

// In the foreground a VM goes down with its command, and with its caller's
// SIGTERM, in order.
func TestForeground(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	if r := h.banger("vm", "run", "--foreground", "--rm", "--image", "debian", "--", "sh", "-c", "echo out; exit 5"); r.code != 5 || r.stdout != "out\n" {
		t.Errorf("got %+v", r)
	}
	h.wantNothingLeft()
	for _, command := range [][]string{nil, {"--", "sh", "-c", "echo up; exec sleep 1000"}} {
		cmd := h.command(t.Context(), append([]string{"vm", "run", "--foreground", "--image", "debian", "--name", "box"}, command...)...)
		stdout, err := cmd.StdoutPipe()
		h.must(err)
		h.must(cmd.Start())
		if command != nil {
			awaitText(t, stdout, "up")
		}
		for command == nil && !strings.Contains(h.ok("vm", "list", "--filter", "status=running", "-q"), "box") {
			time.Sleep(100 * time.Millisecond)
		}
		h.must(cmd.Process.Signal(syscall.SIGTERM))
		err = cmd.Wait()
		if v := h.show("box"); v.State.Phase != "stopped" {
			t.Errorf("got %+v, %v", v.State, err)
		}
		h.ok("vm", "rm", "box")
		h.wantNothingLeft()
	}
	// Its caller's death stops it too.
	cmd := h.command(t.Context(), "vm", "run", "--foreground", "--image", "debian", "--name", "box", "--", "sh", "-c", "echo up; exec sleep 1000")
	stdout, err := cmd.StdoutPipe()
	h.must(err)
	h.must(cmd.Start())
	awaitText(t, stdout, "up")
	supervisor, err := pidfd(h.supervisorPID())
	h.must(err)
	h.must(cmd.Process.Kill())
	cmd.Wait()
	awaitEnd(t, supervisor)
	if v := h.show("box"); v.State.Phase != "stopped" {
		t.Errorf("got %+v", v.State)
	}
}

// A VM that is there is run in the foreground with the command that it has, once its
// service manager has heard that it is ready.
func TestStartForeground(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	h.must(err)
	defer manager.Close()
	h.env = append(h.env, "NOTIFY_SOCKET="+manager.LocalAddr().String())
	hears := func(want string) {
		t.Helper()
		manager.SetReadDeadline(time.Now().Add(patience))
		said := make([]byte, 100)
		n, err := manager.Read(said)
		if string(said[:n]) != want {
			t.Fatalf("the service manager heard %q, %v, want %q", said[:n], err, want)
		}
	}
	h.ok("vm", "run", "-d", "--name", "box", "--image", "debian", "--", "sh", "-c", "echo up; read -r code < /root/code; sleep 1; exit $code")
	h.ok("vm", "exec", "box", "--", "sh", "-c", "echo 3 > /root/code; sync")
	h.ok("vm", "stop", "--timeout", "2m", "box")
	if r := h.banger("vm", "start", "--foreground", "box"); r.code != 3 || r.stdout != "up\n" {
		t.Errorf("got %+v", r)
	}
	hears("READY=1")
	hears("STOPPING=1")
	h.ok("vm", "rm", "box")

	h.ok("vm", "create", "--name", "box", "--image", "debian")
	cmd := h.command(t.Context(), "vm", "start", "--foreground", "box")
	h.must(cmd.Start())
	hears("READY=1")
	h.must(cmd.Process.Signal(syscall.SIGTERM))
	hears("STOPPING=1")
	if err := cmd.Wait(); err != nil {
		t.Errorf("shut down as asked, it ended with %v", err)
	}
	if v := h.show("box"); v.State.Phase != "stopped" {
		t.Errorf("got %+v", v.State)
	}
	h.ok("vm", "rm", "box")
	h.wantNothingLeft()
}
