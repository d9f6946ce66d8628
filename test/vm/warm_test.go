package vm

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// templates returns the directories of the templates.
func (h *host) templates() (dirs []string) {
	h.t.Helper()
	dirs, err := filepath.Glob(filepath.Join(h.home, ".local/state/banger/warm", "*", "manifest.json"))
	h.must(err)
	for i := range dirs {
		dirs[i] = filepath.Dir(dirs[i])
	}
	return dirs
}

func (h *host) wantStart(name, want string) {
	h.t.Helper()
	var v struct{ State struct{ Start string } }
	h.must(json.Unmarshal([]byte(h.ok("vm", "show", "--json", name)), &v))
	if v.State.Start != want {
		h.t.Errorf("%s came up %q, want %q", name, v.State.Start, want)
	}
}

// endMakers ends what makes templates in the background, and waits for the end of
// all that is this host's.
func (h *host) endMakers() {
	h.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		living := 0
		processes, err := filepath.Glob("/proc/[0-9]*")
		h.must(err)
		for _, dir := range processes {
			environ, _ := os.ReadFile(filepath.Join(dir, "environ")) // of one that may have ended
			if !slices.Contains(strings.Split(string(environ), "\x00"), "HOME="+h.home) {
				continue
			}
			living++
			command, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
			if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && strings.Contains(string(command), "\x00internal\x00warm\x00") {
				syscall.Kill(pid, syscall.SIGTERM)
			}
		}
		switch {
		case living == 0:
			return
		case time.Now().After(deadline):
			h.t.Fatalf("%d processes are left", living)
		}
	}
}

// A VM goes on from one like it that has booted, as a machine of its own; where
// that one is damaged, it boots.
func TestWarm(t *testing.T) {
	h := newHost(t)
	h.env = append(h.env, "BANGER_WARM=true")
	h.ok("image", "warm", "debian")
	if got := h.templates(); len(got) != 1 {
		t.Fatalf("the templates are %v", got)
	}
	if r := h.banger("image", "warm", "debian"); r.code != 0 || !strings.Contains(r.stderr, "is warm already") {
		t.Errorf("a second time: %+v", r)
	}
	if got := h.ok("image", "list", "--format", "{{.Name}} {{len .Warm}}"); got != "debian 1\n" {
		t.Errorf("listed as %q", got)
	}
	seen := map[string]string{}
	for _, name := range []string{"first", "second"} {
		h.ok("vm", "create", "--image", "debian", "--name", name)
		h.ok("vm", "start", name)
		h.wantStart(name, "warm")
		got := h.ok("vm", "exec", "--wait-init", name, "--", "sh", "-c", identityScript+"; systemctl is-system-running")
		lines := strings.Split(strings.TrimSpace(got), "\n")
		if len(lines) != 7 || lines[0] != name || lines[6] != "running" {
			t.Fatalf("%s is %q", name, lines)
		}
		for _, line := range lines[:6] {
			if seen[line] != "" {
				t.Errorf("%s has the %s of %s", name, line, seen[line])
			}
			seen[line] = name
		}
		h.wantClock(name)
		if w := h.show(name).State.Guest.Warnings; len(w) > 0 {
			t.Errorf("%s warns of %q", name, w)
		}
	}
	// Later starts are boots, of the same machine.
	h.ok("vm", "restart", "first")
	h.wantStart("first", "cold")
	got := strings.Split(h.ok("vm", "exec", "first", "--", "sh", "-c", "hostname; cat /etc/machine-id"), "\n")
	if got[0] != "first" || seen[got[1]] != "first" {
		t.Errorf("after a boot it is %q", got)
	}
	h.ok("vm", "rm", "--force", "first")
	h.ok("vm", "rm", "--force", "second")

	// What cannot be restored is no error, and not tried again.
	h.must(os.Truncate(filepath.Join(h.templates()[0], "state"), 1000))
	if got := h.ok("vm", "run", "--image", "debian", "--name", "third", "--", "echo", "fine"); got != "fine\n" {
		t.Errorf("got %q", got)
	}
	h.wantStart("third", "cold")
	if got := h.templates(); len(got) > 0 {
		t.Errorf("left are the templates %v", got)
	}
	log := h.ok("vm", "logs", "--supervisor", "third")
	if n := strings.Count(log, "the guest boots, since it cannot go on"); n != 1 {
		t.Errorf("the log says so %d times: %s", n, log)
	}
	h.ok("image", "warm", "debian", "--off")
	if got := h.ok("image", "list"); !strings.Contains(got, "off") {
		t.Errorf("listed as %q", got)
	}
	h.ok("vm", "rm", "--force", "third")
	h.endMakers()
	if left, _ := os.ReadDir(filepath.Join(h.home, ".local/state/banger/making")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
