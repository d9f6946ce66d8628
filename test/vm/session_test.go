package vm

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFrozenGuest interrupts what waits for a guest that has stopped to answer:
// a program that runs there, and one that was not begun.
func TestFrozenGuest(t *testing.T) {
	h := newHost(t)
	h.boot("box")
	vmm := h.show("box").State.VMMPID
	// Much more than it takes, and nothing beside an end that never comes.
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
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

// TestOpenFiles asks for as many open files as sshd and container engines allow.
func TestOpenFiles(t *testing.T) {
	h := newHost(t)
	h.boot("box")
	if got := strings.Fields(h.ok("vm", "exec", "-u", "65534", "box", "--", "sh", "-c", "ulimit -Sn; ulimit -Hn; ulimit -n 65536; ulimit -Sn")); strings.Join(got, " ") != "1024 1048576 65536" {
		t.Errorf("got %v", got)
	}
	h.ok("vm", "rm", "--force", "box")
}
