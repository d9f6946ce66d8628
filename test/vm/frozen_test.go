package vm

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// obeyed is much more than a command takes that obeys ^C at once, and much less than
// any of its own deadlines.
const obeyed = 15 * time.Second

// TestVerbsOfAFrozenGuest has every verb that asks something of a VM ask it of one
// whose VMM has stopped without a word, and ends each by ^C.
func TestVerbsOfAFrozenGuest(t *testing.T) {
	h := newHost(t)
	dir := h.project()
	h.ok("volume", "create", "data", "--size", "64M")
	h.ok("vm", "run", "-d", "--image", "debian", "--name", "box", "--volume", "data:/data", "--", "sleep", "100000")
	h.ok("vm", "sync", "--push", "--to", "/root/project", "box", dir)
	vmm := h.show("box").State.VMMPID
	h.must(syscall.Kill(vmm, syscall.SIGSTOP))
	h.interruptAll(
		[]string{"vm", "exec", "box", "true"},
		[]string{"vm", "exec", "-A", "box", "true"},
		[]string{"vm", "ssh", "box", "true"},
		[]string{"vm", "ssh", "--proxy", "box"},
		[]string{"vm", "cp", filepath.Join(dir, "one"), "box:/root/"},
		[]string{"vm", "cp", "box:/etc", filepath.Join(h.home, "etc")},
		[]string{"vm", "cp", "box:/etc", "box:/root/etc"},
		[]string{"vm", "cp", "box:/etc", "-"},
		[]string{"vm", "sync", "--to", "/root/project", "box", dir},
		[]string{"vm", "sync", "--push", "--pull", "--to", "/root/other", "box", dir},
		[]string{"vm", "sync", "--patch", "-", "--to", "/root/third", "box", dir},
		[]string{"vm", "run", "--reuse", "--name", "box", dir, "--", "true"},
		[]string{"vm", "logs", "-f", "box"},
		[]string{"vm", "logs", "-f", "--console", "box"},
		[]string{"vm", "logs", "-f", "--network", "box"},
		[]string{"vm", "events"},
		[]string{"vm", "stats", "box"},
		[]string{"vm", "stats", "--watch"},
		[]string{"vm", "top", "box"},
		[]string{"vm", "port", "--guest", "box"},
		[]string{"vm", "forward", "box", "8000"},
		[]string{"vm", "forward", "--reverse", "box", "8000"},
		[]string{"vm", "wait", "box"},
		[]string{"vm", "commit", "box", "committed"},
		[]string{"vm", "pause", "box"},
		[]string{"volume", "set", "--size", "128M", "data"},
	)
	// Each of these is in the way of the others.
	h.interruptAll([]string{"vm", "restart", "--timeout", "1h", "box"})
	h.interruptAll([]string{"vm", "stop", "--timeout", "1h", "box"})
	h.ok("vm", "rm", "--force", "box")
	if left := h.left(); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	h.ok("volume", "rm", "data")
	h.wantNothingLeft()
}

// interruptAll runs commands beside each other until each would wait, and then ends
// them by ^C.
func (h *host) interruptAll(commands ...[]string) {
	h.t.Helper()
	agent := h.silentAgent()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	var all sync.WaitGroup
	for _, args := range commands {
		cmd := h.command(ctx, args...)
		cmd.Env = append(cmd.Env, "SSH_AUTH_SOCK="+agent)
		stdin, err := cmd.StdinPipe() // which has no end
		h.must(err)
		var said strings.Builder
		cmd.Stderr = &said
		h.must(cmd.Start())
		all.Go(func() {
			defer stdin.Close()
			time.Sleep(3 * time.Second) // so that it waits; sooner is right as well
			began := time.Now()
			cmd.Process.Signal(syscall.SIGINT)
			cmd.Wait()
			took := time.Since(began)
			// -1 is the signal's own doing, before the command caught it.
			if code := cmd.ProcessState.ExitCode(); code != 130 && code != -1 && !endsByInterrupt(args) || took > obeyed {
				h.t.Errorf("banger %s: exit %d, %s after ^C: %s", strings.Join(args, " "), code, took.Round(time.Millisecond), said.String())
			}
		})
	}
	all.Wait()
}

// endsByInterrupt reports whether ^C is how a command is meant to end.
func endsByInterrupt(args []string) bool {
	return args[1] == "forward" || args[1] == "ssh" && args[2] == "--proxy"
}

// silentAgent is the socket of an SSH agent that says nothing.
func (h *host) silentAgent() string {
	h.t.Helper()
	path := filepath.Join(h.t.TempDir(), "agent")
	listener, err := net.Listen("unix", path)
	h.must(err)
	h.t.Cleanup(func() { listener.Close() })
	return path
}

// left is what there is in the state tree that commands leave which do not end in
// order.
func (h *host) left() (names []string) {
	h.ok("vm", "list") // clears up
	filepath.WalkDir(h.home, func(path string, d os.DirEntry, err error) error {
		for _, prefix := range []string{".stage-", ".new-", ".trash-", ".banger-"} {
			if err == nil && strings.HasPrefix(d.Name(), prefix) {
				names = append(names, path)
			}
		}
		return nil
	})
	return names
}

// TestVerbsOfAPausedGuest asks a guest that its user holds still: what needs it says
// so at once, and the rest works.
func TestVerbsOfAPausedGuest(t *testing.T) {
	h := newHost(t)
	dir := h.project()
	h.ok("volume", "create", "data", "--size", "64M")
	h.ok("vm", "run", "-d", "--image", "debian", "--name", "box", "--volume", "data:/data", "--", "sleep", "100000")
	h.ok("vm", "pause", "box")
	const paused = `vm "box" is paused`
	for _, args := range [][]string{
		{"vm", "exec", "box", "true"},
		{"vm", "ssh", "box", "true"},
		{"vm", "ssh", "--proxy", "box"},
		{"vm", "cp", filepath.Join(dir, "one"), "box:/root/"},
		{"vm", "cp", "box:/etc", filepath.Join(h.home, "etc")},
		{"vm", "sync", "--push", "box", dir},
		{"vm", "sync", "--patch", "-", "box", dir},
		{"vm", "run", "--reuse", "--name", "box", dir, "--", "true"},
		{"vm", "top", "box"},
		{"vm", "port", "--guest", "box"},
		{"vm", "forward", "--reverse", "box", "8000"},
		{"vm", "commit", "box", "committed"},
		{"vm", "pause", "box"},
		{"vm", "start", "box"},
		{"vm", "rm", "box"},
		{"vm", "rename", "box", "crate"},
		{"volume", "set", "--size", "128M", "data"},
	} {
		h.fails(paused, args...)
	}
	for _, args := range [][]string{
		{"vm", "list"}, {"vm", "show", "box"}, {"vm", "stats", "box"}, {"vm", "logs", "box"}, {"vm", "port", "box"}, {"vm", "touch", "box"},
		{"vm", "set", "--label", "a=b", "box"}, {"vm", "policy", "box", "--deny", "10.0.0.0/8"}, {"vm", "events", "--since", "1h", "--until", "0s"},
	} {
		h.ok(args...)
	}
	h.ok("vm", "stop", "box") // which a guest has to hear
	h.ok("vm", "rm", "box")
	h.ok("volume", "rm", "data")
	h.wantNothingLeft()
}
