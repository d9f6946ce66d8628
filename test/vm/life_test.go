package vm

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestStopAndStartKeepTheDisk(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.boot("box")
	h.ok("vm", "exec", "box", "--", "sh", "-c", "echo kept > /root/file")
	h.stop("box")
	if v := h.show("box"); v.State.Phase != "stopped" || v.State.Reason != "stopped" {
		t.Errorf("got %+v", v.State)
	}
	if running := h.processes(); len(running) > 0 {
		t.Errorf("still there: %q", running)
	}
	h.fails("is stopped", "vm", "exec", "box", "true")
	h.fails("is stopped", "vm", "stop", "box")
	h.fails("is stopped", "vm", "pause", "box")
	h.ok("vm", "start", "box")
	if got := h.ok("vm", "exec", "box", "cat", "/root/file"); got != "kept\n" {
		t.Errorf("read %q", got)
	}
	h.ok("vm", "rm", "--force", "box")
	h.wantNothingLeft()
}

// The guest ends by itself: a reboot brings it back, a power-off does not.
func TestRebootAndPowerOff(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.boot("box")
	bootID := []string{"vm", "exec", "box", "cat", "/proc/sys/kernel/random/boot_id"}
	before := h.ok(bootID...)
	vmm, err := pidfd(h.show("box").State.VMMPID)
	h.must(err)
	supervisor, err := pidfd(h.supervisorPID())
	h.must(err)
	h.banger("vm", "exec", "--wait-init", "box", "systemctl", "reboot") // which may lose its connection
	awaitEnd(t, vmm)
	after := h.banger(bootID...)
	for begin := time.Now(); after.code != 0 && time.Since(begin) < patience; after = h.banger(bootID...) {
		time.Sleep(100 * time.Millisecond)
	}
	if after.code != 0 || after.stdout == before {
		t.Fatalf("the guest did not come back: %+v, %q before", after, before)
	}
	h.banger("vm", "exec", "--wait-init", "box", "systemctl", "poweroff")
	awaitEnd(t, supervisor)
	if v := h.show("box"); v.State.Phase != "stopped" || v.State.Reason != "the guest shut itself down" {
		t.Errorf("got %+v", v.State)
	}
}

func TestSupervisorKilled(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.boot("box")
	h.boot("other")
	vmm := h.show("box").State.VMMPID
	fd, err := pidfd(vmm)
	h.must(err)
	h.must(syscall.Kill(h.supervisorPID(), syscall.SIGKILL))
	awaitEnd(t, fd)
	if v := h.show("box"); v.State.Phase != "stopped" || v.State.Reason != "its supervisor died" {
		t.Errorf("got %+v", v.State)
	}
	if h.show("other").State.Phase != "running" {
		t.Error("the other VM went down too")
	}
	h.ok("vm", "exec", "other", "true")
	h.ok("vm", "start", "box")
	h.ok("vm", "exec", "box", "true")
}

func TestVMMKilled(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.boot("box")
	supervisor, err := pidfd(h.supervisorPID())
	h.must(err)
	h.must(syscall.Kill(h.show("box").State.VMMPID, syscall.SIGKILL))
	awaitEnd(t, supervisor)
	if v := h.show("box"); v.State.Phase != "stopped" || !strings.Contains(v.State.Reason, "killed") {
		t.Errorf("got %+v", v.State)
	}
	h.ok("vm", "rm", "box")
	h.wantNothingLeft()
}

func TestGuestPanic(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.needModules(t)
	// A kernel that finds no way to its root: one without its modules.
	kernel := filepath.Join(h.home, ".local/state/banger/kernels/debian/vmlinux")
	h.ok("kernel", "import", "bare", "--from", kernel, "--distro", "debian")
	r := h.banger("vm", "run", "--image", "debian", "--kernel", "bare", "--", "true")
	if r.code != 125 || !strings.Contains(r.stderr, "\n  | ") || !strings.Contains(r.stderr, "banger: the guest ") {
		t.Errorf("got %d, %q", r.code, r.stderr)
	}
	h.wantNothingLeft()
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	for _, moment := range []string{"booting", "running"} {
		t.Run(moment, func(t *testing.T) { testInterrupt(t, h, moment) })
	}
}

func testInterrupt(t *testing.T, h *host, moment string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := h.command(ctx, "vm", "run", "--rm", "--image", "debian", "--", "sh", "-c", "echo running >&2; exec sleep 1000")
	stderr, err := cmd.StderrPipe()
	h.must(err)
	h.must(cmd.Start())
	awaitText(t, stderr, moment)
	h.must(cmd.Process.Signal(os.Interrupt))
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit %d, want 130", code)
	}
	h.wantNothingLeft()
}

func TestKilledClientTakesEphemeralVMAlong(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := h.command(ctx, "vm", "run", "--rm", "--name", "box", "--image", "debian", "--", "sh", "-c", "echo running >&2; exec sleep 1000")
	stderr, err := cmd.StderrPipe()
	h.must(err)
	h.must(cmd.Start())
	awaitText(t, stderr, "running")
	supervisor, err := pidfd(h.supervisorPID())
	h.must(err)
	h.must(cmd.Process.Kill())
	cmd.Wait()
	awaitEnd(t, supervisor)
	h.wantNothingLeft()
}

// ephemeral starts a run whose VM goes with it, and returns its command and its
// supervisor.
func (h *host) ephemeral(stderr io.Writer) (cmd *exec.Cmd, supervisor int) {
	h.t.Helper()
	cmd = h.command(h.t.Context(), "vm", "run", "--rm", "--name", "box", "--image", "debian", "--", "sh", "-c", "echo running; exec sleep 1000")
	stdout, err := cmd.StdoutPipe()
	h.must(err)
	cmd.Stderr = stderr
	h.must(cmd.Start())
	awaitText(h.t, stdout, "running")
	return cmd, h.supervisorPID()
}

// The run that lives on when its supervisor is killed says so, and clears up.
func TestSupervisorOfRunKilled(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	var said strings.Builder
	cmd, supervisor := h.ephemeral(&said)
	h.must(syscall.Kill(supervisor, syscall.SIGKILL))
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 125 || !strings.Contains(said.String(), "the supervisor of vm \"box\" died") {
		t.Errorf("exit %d, said %q", code, said.String())
	}
	h.wantNothingLeft()
}

// What a run and its supervisor leave that are both killed goes with the next
// command, and is not started.
func TestRunKilledWithItsSupervisor(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	cmd, supervisor := h.ephemeral(io.Discard)
	vmm, err := pidfd(h.show("box").State.VMMPID)
	h.must(err)
	h.must(cmd.Process.Signal(syscall.SIGSTOP))
	h.must(syscall.Kill(supervisor, syscall.SIGKILL))
	h.ok("vm", "list")
	if len(h.vmFiles()) != 1 {
		t.Error("a run that lives lost its VM")
	}
	h.fails("is part of a run", "vm", "start", "box")
	h.must(cmd.Process.Kill())
	cmd.Wait()
	awaitEnd(t, vmm)
	if len(h.vmFiles()) != 1 {
		t.Fatal("there is nothing to clear up")
	}
	h.fails("no vm is called", "vm", "start", "box")
	h.wantNothingLeft()
}

func TestRemoveEphemeralVMByForce(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	cmd := h.command(t.Context(), "vm", "run", "--rm", "--name", "box", "--image", "debian", "--", "sh", "-c", "echo running >&2; exec sleep 1000")
	stderr, err := cmd.StderrPipe()
	h.must(err)
	h.must(cmd.Start())
	awaitText(t, stderr, "running")
	h.ok("vm", "rm", "--force", "box")
	cmd.Wait()
	h.wantNothingLeft()
}

func TestCopyDirectory(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip(err)
	}
	h := newHost(t)
	dir := filepath.Join(h.home, "project")
	h.must(os.MkdirAll(filepath.Join(dir, "sub"), 0o755))
	for name, content := range map[string]string{
		"tracked": "1", "untracked": "2", "ignored": "3", ".gitignore": "ignored\n", "sub/deep": "4",
	} {
		h.must(os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	h.must(os.WriteFile(filepath.Join(dir, "script"), []byte("#!/bin/sh\ncat tracked"), 0o755))
	h.must(os.Symlink("tracked", filepath.Join(dir, "link")))
	git := func(args ...string) {
		t.Helper()
		out, err := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.org"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	git("init", "-q")
	git("add", "tracked", ".gitignore", "link", "script")
	git("commit", "-qm", "one")
	got := h.ok("vm", "run", "--rm", "--image", "debian", dir, "--",
		"sh", "-c", "pwd; ls -A | sort | tr '\\n' ' '; cat sub/deep; readlink link; ./script; test -f .git/HEAD && echo git")
	want := "/root/project\n.git .gitignore link script sub tracked untracked 4tracked\n1git\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got = h.ok("vm", "run", "--rm", "--image", "debian", "--user", "games", "--workdir", "/", dir, "--",
		"sh", "-c", "pwd; cd; cd project && ./script && touch sub/new && stat -c '%U %n' . sub/deep link")
	if want := "/\n1games .\ngames sub/deep\ngames link\n"; got != want {
		t.Errorf("as another user, elsewhere: got %q, want %q", got, want)
	}
}

func TestHostLoopback(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	h.must(err)
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, "from the host\n")
			conn.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	read := "exec 3<>/dev/tcp/host.banger.internal/" + port + " && cat <&3"
	if got := h.ok("vm", "run", "--rm", "--image", "debian", "--host-loopback", "--", "bash", "-c", read); got != "from the host\n" {
		t.Errorf("got %q", got)
	}
	if r := h.banger("vm", "run", "--rm", "--image", "debian", "--", "bash", "-c", read); r.code == 0 {
		t.Errorf("the host's loopback is open to guests: %q", r.stdout)
	}
}

func TestTwoVMsAtOnce(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	names := []string{"a", "b"}
	done := make(chan result)
	for _, name := range names {
		go func() {
			done <- h.banger("vm", "run", "--rm", "--name", name, "--image", "debian", "--", "hostname")
		}()
	}
	var got []string
	for range names {
		r := <-done
		got = append(got, strings.TrimSpace(r.stdout))
	}
	slices.Sort(got)
	if !slices.Equal(got, names) {
		t.Errorf("got %q", got)
	}
	h.wantNothingLeft()
}
