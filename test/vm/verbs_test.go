package vm

import (
	"archive/tar"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// TestVerbs goes through the life of a VM as an ordinary user does: each verb once, by
// its short form where it has one. Nothing of it is left.
func TestVerbs(t *testing.T) {
	h := newHost(t)
	if os.Getuid() == 0 {
		h.as("nobody")
	}
	h.ok("vm", "create", "--image", "debian", "--name", "first", "-v", "first:/first")
	h.ok("rm", "first")
	h.ok("volume", "rm", "first")
	before := h.takeCensus() // with what is made once

	shared := h.project()
	h.ok("volume", "create", "data", "--size", "64M")
	h.ok("run", "-d", "--image", "debian", "--name", "box", "--memory", "256M", "--volume", "data:/data", "--mount", shared+":/shared:ro",
		"--publish", "0:8000", "--label", "stage=one", "--ttl", "5h", "--idle-timeout", "5h", "--env-file", filepath.Join(shared, "env"), "--",
		"sh", "-c", `trap 'echo heard; exit 3' USR1; echo "$GREETING"; while :; do sleep 1; done`)
	follow := h.command(t.Context(), "logs", "--follow", "box")
	stdout, err := follow.StdoutPipe()
	h.must(err)
	h.must(follow.Start())
	awaitText(t, stdout, "hello")
	h.see()
	h.copyBothWays(shared)
	h.syncBothWays(shared)
	if got := h.ok("exec", "box", "--", "sh", "-c", "test -e /sys/class/zram-control || exit 0; grep -c ^/dev/zram /proc/swaps"); got != "1\n" && got != "" {
		t.Errorf("a small guest has %q swaps", got)
	}

	// Settings: what waits is said, and what cannot wait is refused.
	if r := h.banger("vm", "set", "--cpus", "2", "--memory", "300M", "--label", "stage=two", "--ttl", "6h", "--publish", "0:8001",
		"--no-mounts", "--volume", "data:/data:ro", "box"); r.code != 0 || !strings.Contains(r.stderr, "gets its cpus, memory, ports, mounts, volumes at its next start") {
		t.Errorf("set: %+v", r)
	}
	h.ok("vm", "touch", "box")
	h.fails("is running", "vm", "set", "--disk", "9G", "box")
	h.fails("is running", "vm", "rename", "box", "crate")
	h.ok("volume", "set", "--size", "1G", "data") // which the guest has at once
	if free := h.freeBlocks("box", "/data"); free < 900<<20/4096 {
		t.Errorf("%d blocks of the volume are free", free)
	}
	h.ok("vm", "exec", "box", "--", "sh", "-c", "echo kept > /data/kept")
	h.ok("vm", "kill", "--signal", "SIGUSR1", "box")
	if r := h.banger("vm", "wait", "box"); r.code != 3 || r.stdout != "3\n" {
		t.Errorf("waited: %+v", r)
	}

	h.ok("vm", "restart", "--timeout", "2m", "box")
	h.must(follow.Wait()) // to the end of that boot
	if got := h.ok("exec", "box", "--", "sh", "-c", "nproc; cat /data/kept; touch /data/more 2>/dev/null || echo read-only; ls -d /shared/env 2>/dev/null; dmesg | grep -c 'recovery complete' || true"); got != "2\nkept\nread-only\n0\n" {
		t.Errorf("after a restart: %q", got)
	}
	// The shell says on its other stream, before or behind, what became of its sleep.
	if got := h.ok("logs", "--boot", "-1", "box"); !strings.HasPrefix(got, "hello\n") || !strings.Contains(got, "\nheard\n") {
		t.Errorf("the log before is %q", got)
	}

	// A guest that does not go down loses its plug.
	h.ok("exec", "--wait-init", "box", "--", "sh", "-c", stubborn)
	if r := h.banger("stop", "--timeout", "5s", "box"); r.code != 0 || !strings.Contains(r.stderr, "did not shut down within 5s: its plug was pulled") {
		t.Errorf("stop: %+v", r)
	}
	h.ok("vm", "set", "--disk", "9G", "--no-volumes", "box")
	h.ok("vm", "rename", "box", "crate")
	h.ok("volume", "set", "--size", "2G", "data")
	if got := h.ok("volume", "list", "--format", "{{.Name}} {{.SizeBytes}}"); got != "data 2147483648\n" {
		t.Errorf("volumes: %q", got)
	}
	h.ok("volume", "show", "data")
	if got := h.ok("volume", "prune"); got != "data\n" {
		t.Errorf("pruned volumes %q", got)
	}
	if got := h.ok("vm", "prune", "--label", "stage=two"); got != "crate\n" {
		t.Errorf("pruned %q", got)
	}
	h.ok("system", "prune", "--filter", "label=stage")
	h.must(os.RemoveAll(shared))
	h.wantCensus(before)
}

// stubborn has systemd wait for a service that never ends.
const stubborn = `printf '[Service]\nExecStart=/bin/sleep infinity\nExecStop=/bin/sleep infinity\nTimeoutStopSec=infinity\n' > /run/systemd/system/stubborn.service
systemctl daemon-reload && systemctl start stubborn`

// project makes a directory of the user's, with a few files.
func (h *host) project() string {
	h.t.Helper()
	dir := filepath.Join(h.home, "project")
	h.must(os.Mkdir(dir, 0o755))
	for name, content := range map[string]string{"env": "GREETING=hello\n", "one": "1\n", "two": "2\n"} {
		h.must(os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	h.must(os.Symlink("one", filepath.Join(dir, "link")))
	if h.user != "" {
		h.must(exec.Command("chown", "-R", h.user, dir).Run())
	}
	return dir
}

// see looks at the VM in all the ways there are.
func (h *host) see() {
	h.t.Helper()
	for _, look := range []struct {
		want string
		args []string
	}{
		{"box", []string{"ps", "-q"}},
		{"debian", []string{"images", "-q"}},
		{"box running stage=one", []string{"vm", "list", "--filter", "label=stage=one", "--sort", "-created", "--format", "{{.Name}} {{.Status}} {{.Labels}}"}},
		{"8000", []string{"vm", "port", "box"}},
		{"hello", []string{"logs", "--since", "1h", "box"}},
		{"", []string{"logs", "--console", "box"}},
		{"", []string{"logs", "--supervisor", "box"}},
		{"", []string{"logs", "--network", "box"}},
		{`"vm":"box"`, []string{"vm", "stats", "--json", "box"}},
		{"sleep 1", []string{"vm", "top", "--sort", "pid", "box"}},
		{`"event":"ready"`, []string{"vm", "events", "--json", "--since", "1h", "--until", "0s", "--event", "ready", "box"}},
		{"GREETING=hello", []string{"ssh", "box", "cat /shared/env"}},
		{"vms", []string{"system", "df"}},
		{"KVM", []string{"system", "info"}},
	} {
		if got := h.ok(look.args...); !strings.Contains(got, look.want) {
			h.t.Errorf("banger %s: %q, want %q", strings.Join(look.args, " "), got, look.want)
		}
	}
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	for _, args := range [][]string{{"vm", "stats", "--watch", "box"}, {"vm", "top", "--watch", "box"}} {
		watch := h.command(ctx, args...)
		terminal, err := pty.StartWithSize(watch, &pty.Winsize{Rows: 10, Cols: 60})
		h.must(err)
		awaitBytes(h.t, terminal, "\x1b[J") // it has been drawn
		_, err = terminal.Write([]byte{3})
		h.must(err)
		watch.Wait()
		terminal.Close()
		if code := watch.ProcessState.ExitCode(); code != 130 {
			h.t.Errorf("banger %s: exit %d after ^C", strings.Join(args, " "), code)
		}
	}
}

// copyBothWays copies into the VM, out of it and as tars.
func (h *host) copyBothWays(shared string) {
	h.t.Helper()
	h.ok("cp", "-L", filepath.Join(shared, "link"), filepath.Join(shared, "two"), "box:/srv")
	h.ok("cp", "-a", "box:/srv", "box:/opt")
	h.ok("cp", "box:/opt/srv/link", filepath.Join(h.home, "back"))
	if got, err := os.ReadFile(filepath.Join(h.home, "back")); err != nil || string(got) != "1\n" {
		h.t.Errorf("copied %q, %v", got, err)
	}
	h.must(os.Remove(filepath.Join(h.home, "back")))
	packed := h.ok("cp", "box:/srv", "-")
	names := map[string]bool{}
	for r := tar.NewReader(strings.NewReader(packed)); ; {
		header, err := r.Next()
		if err == io.EOF {
			break
		}
		h.must(err)
		names[header.Name] = true
	}
	if !names["srv/link"] || !names["srv/two"] {
		h.t.Errorf("the tar has %v", names)
	}
	if r := h.bangerWith(strings.NewReader(packed), "cp", "-", "box:/mnt"); r.code != 0 {
		h.t.Errorf("unpacked: %+v", r)
	}
	if got := h.ok("exec", "box", "cat", "/mnt/srv/two"); got != "2\n" {
		h.t.Errorf("unpacked %q", got)
	}
}

// syncBothWays keeps a directory alike.
func (h *host) syncBothWays(dir string) {
	h.t.Helper()
	sync := func(want string, flags ...string) {
		h.t.Helper()
		args := append([]string{"vm", "sync", "--to", "/root/copy"}, append(flags, "box", dir)...)
		if r := h.banger(args...); r.code != 0 || !strings.Contains(r.stdout+r.stderr, want) {
			h.t.Errorf("banger %s: %+v, want %q", strings.Join(args, " "), r, want)
		}
	}
	sync("one")
	sync("", "--push")
	h.ok("exec", "box", "--", "sh", "-c", "cd /root/copy && echo more >> one && rm two")
	sync("+more", "--patch", "-")
	sync("two", "--pull", "--delete", "--dry-run")
	sync("", "--pull", "--delete")
	if got, err := os.ReadFile(filepath.Join(dir, "one")); err != nil || string(got) != "1\nmore\n" {
		h.t.Errorf("pulled %q, %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "two")); err == nil {
		h.t.Error("what was removed there is here")
	}
}
