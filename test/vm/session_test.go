package vm

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestFrozenGuest interrupts what waits for a guest that has stopped to answer:
// a program that runs there, and one that was not begun.
func TestFrozenGuest(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.boot("box")
	vmm := h.show("box").State.VMMPID
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	running := h.command(ctx, "vm", "exec", "box", "--", "sh", "-c", "echo up; sleep 1000")
	stdout, err := running.StdoutPipe()
	h.must(err)
	h.must(running.Start())
	awaitBytes(t, stdout, "up\n")
	h.must(syscall.Kill(vmm, syscall.SIGSTOP))
	h.must(running.Process.Signal(syscall.SIGINT))
	running.Wait()
	if code := running.ProcessState.ExitCode(); code != 130 {
		t.Errorf("a running program's command ends with %d", code)
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		begun := h.command(ctx, "vm", "ssh", "box", "true")
		h.must(begun.Start())
		time.Sleep(time.Second) // so that it waits for the guest; sooner is right as well
		h.must(begun.Process.Signal(sig))
		begun.Wait()
		// -1 is the signal's own doing, before the command caught it.
		if code := begun.ProcessState.ExitCode(); code != 130 && code != -1 {
			t.Errorf("%v: a command that reaches nobody ends with %d", sig, code)
		}
	}
	h.must(syscall.Kill(vmm, syscall.SIGCONT))
	h.ok("vm", "rm", "--force", "box")
	h.wantNothingLeft()
}

// TestLogin runs programs as a user, who gets what a login gives: a session with a
// control group, a systemd and a directory of its own, as many open files as sshd
// and container engines allow; and what keeps Docker's containers from running is
// out of the way. What the superuser runs does not wait for that.
func TestLogin(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.boot("box")
	if got := h.ok("vm", "exec", "box", "--", "cat", "/proc/self/cgroup"); strings.Contains(got, "user.slice") {
		t.Errorf("the superuser's program is in %s", got)
	}
	got := strings.Fields(h.ok("vm", "exec", "-u", "65534", "box", "--", "sh", "-c", `sed s/[0-9]*.scope// /proc/self/cgroup
		echo $XDG_RUNTIME_DIR; stat -c %U:%a $XDG_RUNTIME_DIR; systemctl --user is-system-running --wait
		ulimit -Sn; ulimit -Hn; ulimit -n 65536; ulimit -Sn; cat /sys/module/apparmor/parameters/enabled`))
	want := []string{"0::/user.slice/user-65534.slice/session-c", "/run/user/65534", "nobody:700", "running", "1024", "1048576", "65536", "N"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	const show = "systemctl show -p TimeoutStopUSec session-c1.scope; loginctl terminate-user nobody; systemctl --failed --no-legend"
	if got := h.ok("vm", "exec", "box", "--", "sh", "-c", show); got != "TimeoutStopUSec=5s\n" {
		t.Errorf("got %q", got)
	}
	// One that was ended is followed by another.
	awaited := h.ok("vm", "exec", "-u", "nobody", "box", "--", "sh", "-c", "echo $XDG_RUNTIME_DIR")
	if awaited != "/run/user/65534\n" {
		t.Errorf("got %q", awaited)
	}
	h.ok("vm", "exec", "--wait-init", "box", "--", "systemctl", "--user", "is-system-running")
	h.stop("box")
	h.ok("vm", "rm", "box")
}
