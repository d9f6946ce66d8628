package vm

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// The main path, once as whoever runs the tests and once as an ordinary user.
func TestRun(t *testing.T) {
	t.Parallel()
	t.Run("own user", func(t *testing.T) { testRun(t, newHost(t)) })
	t.Run("ordinary user", func(t *testing.T) { testRun(t, newHost(t).as("nobody")) })
}

func testRun(t *testing.T, h *host) {
	r := h.bangerWith(strings.NewReader("in"), "vm", "run", "--rm", "--image", "debian", "--name", "box", "-e", "X=1 2", "--",
		"sh", "-c", "cat; echo; hostname; echo $X; id -u; pwd; echo err >&2; exit 7")
	if r.code != 7 || r.stdout != "in\nbox\n1 2\n0\n/root\n" {
		t.Errorf("got %d, %q", r.code, r.stdout)
	}
	if !strings.HasSuffix(r.stderr, "err\n") {
		t.Errorf("stderr is %q", r.stderr)
	}
	h.wantNothingLeft()
}

func TestProcessors(t *testing.T) {
	h := newHost(t)
	if got := h.ok("vm", "run", "--rm", "--cpus", "2", "--image", "debian", "--", "nproc"); got != "2\n" {
		t.Errorf("there are %s", got)
	}
}

// One VM, used in many ways: boots are dear by emulation.
func TestUse(t *testing.T) {
	h := newHost(t)
	h.boot("box")
	v := h.show("box")
	if v.State.Phase != "running" || v.State.Guest.Init != "systemd" || len(v.State.Guest.Warnings) > 0 {
		t.Errorf("got %+v", v)
	}
	t.Run("exit codes", func(t *testing.T) {
		for command, want := range map[string]int{"exit 0": 0, "exit 1": 1, "exit 255": 255, "kill -9 $$": 137, "kill -TERM $$": 143} {
			if r := h.banger("vm", "exec", "box", "--", "sh", "-c", command); r.code != want {
				t.Errorf("%s: exit %d, want %d (%s)", command, r.code, want, r.stderr)
			}
		}
		if r := h.banger("vm", "exec", "box", "no-such-command"); r.code != 127 || !strings.Contains(r.stderr, "not found") {
			t.Errorf("absent: %d, %q", r.code, r.stderr)
		}
		if r := h.banger("vm", "exec", "box", "/etc/passwd"); r.code != 126 {
			t.Errorf("not executable: %d, %q", r.code, r.stderr)
		}
	})
	t.Run("binary streams", func(t *testing.T) {
		data := make([]byte, 3<<20)
		rand.Read(data)
		r := h.bangerWith(bytes.NewReader(data), "vm", "exec", "box", "--", "sh", "-c", "tee /dev/stderr")
		if r.code != 0 || r.stdout != string(data) || r.stderr != string(data) {
			t.Errorf("exit %d, %d bytes out and %d err of %d came back", r.code, len(r.stdout), len(r.stderr), len(data))
		}
	})
	t.Run("systemd comes up", func(t *testing.T) {
		r := h.banger("vm", "exec", "--wait-init", "box", "systemctl", "is-system-running")
		if r.code != 0 || r.stdout != "running\n" {
			t.Errorf("got %d, %q: %s", r.code, r.stdout, h.banger("vm", "exec", "box", "systemctl", "--failed", "--no-pager").stdout)
		}
	})
	t.Run("output that cannot be written", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		h.must(err)
		defer full.Close()
		var stderr strings.Builder
		cmd := h.command(ctx, "vm", "exec", "box", "--", "cat", "/dev/zero")
		cmd.Stdout, cmd.Stderr = full, &stderr
		cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != 125 || !strings.Contains(stderr.String(), "no space left on device") {
			t.Errorf("got %d, %q", code, stderr.String())
		}
	})
	t.Run("modprobe works", func(t *testing.T) {
		h.needModules(t)
		h.ok("vm", "exec", "box", "modprobe", "dummy")
	})
	t.Run("image is shared", func(t *testing.T) {
		h.ok("vm", "exec", "box", "--", "sh", "-c", "echo changed > /etc/motd; rm -rf /usr/share/doc")
		if err := exec.Command("e2fsck", "-fn", filepath.Join(h.home, ".local/state/banger/images/debian/rootfs.ext4")).Run(); err != nil {
			t.Errorf("the image was written to: %v", err)
		}
	})
	t.Run("shell on a terminal", func(t *testing.T) { testTerminal(t, h) })
	t.Run("OpenSSH", func(t *testing.T) { testOpenSSH(t, h) })
	t.Run("what is taken or unknown", func(t *testing.T) {
		h.fails("already exists", "vm", "run", "--image", "debian", "--name", "box")
		h.fails(`did you mean "box"?`, "vm", "exec", "bax", "true")
		h.fails("is running", "vm", "rm", "box")
		h.fails("no such user: nobody-here", "vm", "exec", "-u", "nobody-here", "box", "true")
		h.fails("is running", "vm", "start", "box")
		h.fails("is used by vm box", "image", "rm", "debian")
		h.fails("is needed by", "kernel", "rm", "debian")
	})
}

// testTerminal types into a shell on a pseudo terminal.
func testTerminal(t *testing.T, h *host) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := h.command(ctx, "vm", "ssh", "box")
	cmd.Env = append(cmd.Env, "TERM=vt100")
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 33, Cols: 99})
	h.must(err)
	defer terminal.Close()
	say := func(text, want string) {
		t.Helper()
		io.WriteString(terminal, text)
		awaitBytes(t, terminal, want)
	}
	awaitBytes(t, terminal, "# ")
	say("stty size\n", "33 99")
	say("tty; echo $TERM\n", "vt100")
	h.must(pty.Setsize(terminal, &pty.Winsize{Rows: 20, Cols: 70}))
	say("until stty size | grep '^20 7[0]'; do sleep 0.1; done\n", "20 70") // the new size travels beside the keys
	// ^C is for what runs: bash would take it for the end of its input if it
	// came while the command is being forked.
	say(`sh -c "echo u''p; exec sleep 1000"`+"\n", "up\r\n")
	say("\x03", "# ")
	io.WriteString(terminal, "exit 5\n")
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 5 {
		t.Errorf("exit %d, want 5", code)
	}
}

// testOpenSSH uses the real clients by a configuration that includes the VMs.
func testOpenSSH(t *testing.T, h *host) {
	config := filepath.Join(t.TempDir(), "config")
	if h.user == "" {
		h.ok("ssh-config", "install", "--file", config)
	} else { // whose files this test's own ssh would not include
		h.must(os.WriteFile(config, []byte(h.ok("vm", "ssh-config", "box")), 0o600))
	}
	run := func(program string, args ...string) string {
		t.Helper()
		cmd := exec.Command(program, append([]string{"-F", config}, args...)...)
		cmd.Env = append(os.Environ(), "HOME="+h.home)
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: %v", program, err)
		}
		return string(out)
	}
	if got := run("ssh", "box.banger", "echo $0 $((6*7))"); !strings.HasSuffix(got, " 42\n") {
		t.Errorf("ssh: %q", got)
	}
	file := filepath.Join(t.TempDir(), "file")
	h.must(os.WriteFile(file, []byte("by scp"), 0o600))
	run("scp", file, "box.banger:/tmp/copy")
	run("scp", "box.banger:/tmp/copy", file+".back")
	if back, _ := os.ReadFile(file + ".back"); string(back) != "by scp" {
		t.Errorf("scp brought back %q", back)
	}
	testLikeAnEditor(t, h, config)
}

// testLikeAnEditor does what editors do that work on another machine: one
// connection for all, an installer by standard input, a server of its own there
// that a port leads to.
func testLikeAnEditor(t *testing.T, h *host, config string) {
	control := filepath.Join(t.TempDir(), "control")
	ssh := func(stdin string, args ...string) string {
		t.Helper()
		cmd := exec.Command("ssh", append([]string{"-F", config, "-o", "ControlPath=" + control}, args...)...)
		cmd.Env = append(os.Environ(), "HOME="+h.home)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("ssh %q: %v", args, err)
		}
		return string(out)
	}
	ssh("", "-o", "ControlPersist=yes", "-M", "-f", "-N", "box.banger")
	defer ssh("", "-O", "exit", "box.banger")
	const installer = "mkdir -p /root/.server && echo up > /root/.server/word && echo installed\n"
	if got := ssh(installer, "-T", "box.banger", "bash -s"); got != "installed\n" {
		t.Errorf("an installer by standard input: %q", got)
	}
	socket := filepath.Join(t.TempDir(), "socket")
	// The supervisor's own listener is the one that answers everywhere.
	ssh("", "-O", "forward", "-L", socket+":192.168.127.1:53", "box.banger")
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Errorf("a forwarded port: %v", err)
		return
	}
	conn.Close()
}
