package vm

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// identityScript prints all that a copy must have of its own.
const identityScript = `hostname; cat /etc/machine-id; cat /sys/class/net/eth0/address;
	cat /proc/sys/kernel/random/uuid; head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; echo; cat /run/banger/restored`

// A snapshot of a guest that works: it goes on, and so do two copies from where
// it was, each as another machine.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.boot("box")
	h.ok("vm", "exec", "box", "--", "sh", "-c", `mkdir -p /etc/banger/restored.d
		printf '#!/bin/sh\necho $BANGER_GENERATION >> /root/hooks\n' > /etc/banger/restored.d/hook
		chmod +x /etc/banger/restored.d/hook
		echo before > /root/file
		(i=0; while :; do i=$((i+1)); echo $i > /root/count.new; mv /root/count.new /root/count; sleep 0.05; done) </dev/null >/dev/null 2>&1 &
		sleep 0.2`)
	h.ok("vm", "snapshot", "create", "box", "one", "--description", "a trial")
	h.ok("vm", "snapshot", "verify", "one")
	h.ok("vm", "exec", "box", "--", "sh", "-c", "echo after > /root/file")

	seen := map[string]string{}
	for _, name := range []string{"first", "second"} {
		h.ok("vm", "snapshot", "restore", "one", "--name", name)
		lines := strings.Split(strings.TrimSpace(h.ok("vm", "exec", name, "--", "sh", "-c", identityScript)), "\n")
		if len(lines) != 6 || lines[0] != name {
			t.Fatalf("%s is %q", name, lines)
		}
		var v struct {
			MachineID string `json:"machine_id"`
			MAC       string
		}
		h.must(json.Unmarshal([]byte(h.ok("vm", "show", "--json", name)), &v))
		if lines[1] != v.MachineID || lines[2] != v.MAC {
			t.Errorf("%s is %q, and should be %+v", name, lines, v)
		}
		for _, line := range lines {
			if seen[line] != "" {
				t.Errorf("%s has the %s of %s", name, line, seen[line])
			}
			seen[line] = name
		}
		if got := h.ok("vm", "exec", name, "cat", "/root/file"); got != "before\n" {
			t.Errorf("%s: the file holds %q", name, got)
		}
		switch w := h.show(name).State.Guest.Warnings; {
		case len(w) == 1 && strings.Contains(w[0], "signal: killed"):
			t.Logf("%s was too slow for its hook: %q", name, w)
		case len(w) > 0:
			t.Errorf("%s warns of %q", name, w)
		default:
			if got := h.ok("vm", "exec", name, "cat", "/root/hooks"); got != lines[5]+"\n" {
				t.Errorf("%s: the hook wrote %q", name, got)
			}
		}
		h.wantClock(name)
		h.wantCounting(name)
	}
	h.wantCounting("box")

	// A copy is a VM like any other, and needs the snapshot no more.
	h.ok("vm", "snapshot", "rm", "one")
	h.stop("first")
	h.ok("vm", "start", "first")
	got := h.ok("vm", "exec", "first", "--", "sh", "-c", "hostname; cat /etc/machine-id /root/file")
	if lines := strings.Split(got, "\n"); lines[0] != "first" || seen[lines[1]] != "first" || lines[2] != "before" {
		t.Errorf("after a start it is %q", got)
	}
	if left, _ := os.ReadDir(filepath.Join(h.home, ".local/state/banger/snapshots")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Of a guest that has just been restored the clock is off by how old its memory is, unless
// it was set; and by a part of a round trip, which takes its time on a loaded machine, as
// long as it has not been set again.
const (
	slackAtFirst = 250 * time.Millisecond
	slack        = 50 * time.Millisecond
)

// wantClock fails where the clock of a guest that has just been restored was not set.
func (h *host) wantClock(name string) {
	h.t.Helper()
	if off := h.clockOff(name, slackAtFirst); off != 0 {
		h.t.Errorf("%s: the clock is off by %s", name, off)
	}
}

// awaitClock waits for a guest's clock to be right.
func (h *host) awaitClock(name string) {
	h.t.Helper()
	for end := time.Now().Add(patience); h.clockOff(name, slack) != 0; {
		if time.Now().After(end) {
			h.t.Fatalf("%s: the clock stays off by %s", name, h.clockOff(name, slack))
		}
	}
}

// clockOff returns by how much a guest's clock is off, or 0 where that is less than slack
// or not known: the host's time is asked for before and after.
func (h *host) clockOff(name string, slack time.Duration) time.Duration {
	h.t.Helper()
	before := time.Now()
	nanos, err := strconv.ParseInt(strings.TrimSpace(h.ok("vm", "exec", name, "date", "+%s%N")), 10, 64)
	h.must(err)
	after := time.Now()
	switch now := time.Unix(0, nanos); {
	case now.Before(before.Add(-slack)):
		return now.Sub(before)
	case now.After(after.Add(slack)):
		return now.Sub(after)
	}
	return 0
}

// wantCounting fails where what ran in the guest runs no more.
func (h *host) wantCounting(name string) {
	h.t.Helper()
	h.ok("vm", "exec", name, "--", "timeout", "120", "sh", "-c",
		`was=$(cat /root/count); while [ "$(cat /root/count)" = "$was" ]; do sleep 0.1; done`)
}

// What a guest waits for of a connection whose other end is gone ends at once.
func TestRestoreEndsConnections(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.boot("box")
	// The supervisor's own listener is the one that answers everywhere.
	h.ok("vm", "exec", "box", "--", "bash", "-c", `(exec 3<>/dev/tcp/192.168.127.1/53; echo up > /root/conn; read -u 3 line; echo ended > /root/conn) </dev/null >/dev/null 2>&1 &
		while ! grep -q up /root/conn 2>/dev/null; do sleep 0.05; done`)
	h.ok("vm", "snapshot", "create", "box", "one")
	h.ok("vm", "snapshot", "restore", "one", "--name", "copy")
	h.ok("vm", "exec", "copy", "--", "timeout", "120", "sh", "-c", "while ! grep -q ended /root/conn; do sleep 0.1; done")
	if w := h.show("copy").State.Guest.Warnings; len(w) > 0 {
		t.Errorf("it warns of %q", w)
	}
}

// Paused and stopped VMs, and those that are neither.
func TestSnapshotPhases(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.boot("box")
	h.ok("vm", "exec", "box", "--", "sh", "-c", "echo kept > /root/file; sync")
	h.ok("vm", "pause", "box")
	h.ok("vm", "snapshot", "create", "box", "paused")
	if v := h.show("box"); v.State.Phase != "paused" {
		t.Errorf("got %+v", v.State)
	}
	h.ok("vm", "resume", "box")
	if got := h.ok("vm", "run", "--snapshot", "paused", "--rm", "--name", "trial", "--", "cat", "/root/file"); got != "kept\n" {
		t.Errorf("read %q", got)
	}
	h.ok("vm", "snapshot", "restore", "paused", "--name", "cold", "--disk-only")
	if got := h.ok("vm", "exec", "cold", "--", "sh", "-c", "hostname; cat /root/file"); got != "cold\nkept\n" {
		t.Errorf("its disk holds %q", got)
	}
	h.ok("vm", "rm", "--force", "cold")
	h.fails("is running", "vm", "snapshot", "restore", "paused", "--replace", "box")
	h.ok("vm", "exec", "box", "rm", "/root/file")
	h.stop("box")
	h.ok("vm", "snapshot", "create", "box", "stopped")
	h.ok("vm", "snapshot", "restore", "paused", "--replace", "box")
	if got := h.ok("vm", "exec", "box", "--", "sh", "-c", "hostname; cat /root/file"); got != "box\nkept\n" {
		t.Errorf("put back, it is %q", got)
	}
	h.ok("vm", "snapshot", "restore", "stopped", "--name", "later")
	h.ok("vm", "start", "later")
	if got := h.ok("vm", "exec", "later", "--", "sh", "-c", "hostname; ls /root/file 2>/dev/null || true"); got != "later\n" {
		t.Errorf("the stopped one's copy is %q", got)
	}
	h.fails("is used by vm box", "image", "rm", "debian")
	h.fails("no snapshot is called \"pausd\" (did you mean \"paused\"?)", "vm", "snapshot", "show", "pausd")
	h.fails("already exists", "vm", "snapshot", "create", "box", "paused")
}

func TestFork(t *testing.T) {
	h := newHost(t)
	h.boot("box")
	h.ok("vm", "exec", "box", "--", "sh", "-c", "echo kept > /root/file")
	got := h.ok("vm", "fork", "box", "copy", "-n", "3", "--", "sh", "-c", "echo $BANGER_FORK $(hostname) $(cat /root/file)")
	for i := range 3 {
		if want := fmt.Sprintf("copy-%d: %d copy-%d kept\n", i, i, i); !strings.Contains(got, want) {
			t.Errorf("got %q, want %q in it", got, want)
		}
	}
	h.ok("vm", "exec", "box", "true")
	if left, _ := os.ReadDir(filepath.Join(h.home, ".local/state/banger/snapshots")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestCommit(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.boot("box")
	h.ok("vm", "exec", "box", "--", "sh", "-c", "echo kept > /root/file")
	h.ok("vm", "commit", "box", "mine")
	h.fails("already exists", "vm", "commit", "box", "mine")
	if got := h.ok("vm", "run", "--rm", "--image", "mine", "--", "cat", "/root/file"); got != "kept\n" {
		t.Errorf("read %q", got)
	}
}

// A VM that was booted for a commit is down after that, however it ends.
func TestCommitOfStoppedVMIsGivenUp(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.boot("box")
	h.ok("vm", "stop", "box")
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
		cmd := h.command(t.Context(), "vm", "commit", "box", "mine")
		stderr, err := cmd.StderrPipe()
		h.must(err)
		h.must(cmd.Start())
		awaitText(t, stderr, "making the image")
		h.must(cmd.Process.Signal(signal))
		cmd.Wait()
		h.ok("vm", "wait", "box")
	}
	h.ok("vm", "start", "box") // with its init
	if init := h.show("box").State.Guest.Init; init != "systemd" {
		t.Errorf("it has %q for its init", init)
	}
	h.ok("vm", "rm", "--force", "box")
	h.wantNothingLeft()
}

// A snapshot that is killed, at whatever moment, is not there, and the VM goes on.
func TestSnapshotKilled(t *testing.T) {
	h := newHost(t)
	h.boot("box")
	for i := range 6 {
		cmd := h.command(t.Context(), "vm", "snapshot", "create", "box", "one")
		h.must(cmd.Start())
		time.Sleep(time.Duration(i) * 150 * time.Millisecond)
		cmd.Process.Kill()
		cmd.Wait()
		h.ok("vm", "exec", "box", "true")
		if h.ok("vm", "snapshot", "list", "--json") != "[]\n" {
			h.ok("vm", "snapshot", "verify", "one")
			h.ok("vm", "snapshot", "rm", "one")
		}
	}
	h.ok("vm", "snapshot", "create", "box", "one")
	h.ok("vm", "snapshot", "verify", "one")
	h.ok("vm", "snapshot", "rm", "one")
	if left, _ := os.ReadDir(filepath.Join(h.home, ".local/state/banger/snapshots")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
