package vm

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// A volume outlives the VMs that write to it and read it, one writer or many
// readers at a time, grows, and survives power cuts and vandals.
func TestVolumes(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.ok("volume", "create", "data", "--size", "64M")
	h.fails("no volume is called", "vm", "run", "--rm", "--image", "debian", "-v", "dato:/d:ro", "--", "true")
	h.ok("vm", "run", "--name", "box", "--image", "debian", "-v", "data:/srv/data", "--", "sh", "-c", "echo one > /srv/data/f")

	// While it runs, it is alone.
	h.fails("attached to vm box, which writes to it", "vm", "run", "--rm", "--image", "debian", "-v", "data:/d", "--", "true")
	h.fails("attached to vm box", "volume", "set", "data", "--label", "a=b")
	h.ok("volume", "set", "data", "--size", "200M") // which the guest has at once
	if free := h.freeBlocks("box", "/srv/data"); free < 150<<20/4096 {
		t.Errorf("%d blocks are free", free)
	}
	h.fails("is used by vm box", "volume", "rm", "data")
	h.fails("runs with volumes", "vm", "snapshot", "create", "box")
	h.fails("runs with volumes", "vm", "fork", "box")
	h.ok("vm", "stop", "--timeout", "2m", "box")
	h.wantClean("data")
	h.ok("vm", "snapshot", "create", "box", "snap")
	h.ok("vm", "snapshot", "rm", "snap")
	h.container("bare", v1.Config{}, map[string]string{"app": h.program()}) // without an init
	h.ok("vm", "run", "-d", "--name", "bare", "--image", "bare", "-v", "data:/data", "--", "/app")
	h.ok("vm", "stop", "--timeout", "2m", "bare")
	h.wantClean("data")
	h.ok("vm", "rm", "bare")
	h.ok("vm", "run", "--rm", "--image", "debian", "-v", "new:/new", "--", "sh", "-c", "echo two > /new/f")

	// Readers share it, with what an ephemeral VM has just written.
	h.wantClean("new")
	h.ok("vm", "set", "--volume", "data:/srv/data:ro", "--volume", "new:/srv/data/lost+found:ro", "box")
	h.ok("vm", "start", "box")
	r := h.banger("vm", "run", "--rm", "--image", "debian", "-v", "data:/d:ro", "--", "sh", "-c", "cat /d/f; touch /d/g || mount -o remount,rw /d || echo x > /dev/vdd")
	if r.code == 0 || r.stdout != "one\n" {
		t.Errorf("a reader: %+v", r)
	}
	h.fails("attached to vm box, which reads it", "vm", "run", "--rm", "--image", "debian", "-v", "data:/d", "--", "true")
	if got := h.ok("vm", "exec", "box", "cat", "/srv/data/f", "/srv/data/lost+found/f"); got != "one\ntwo\n" {
		t.Errorf("the other reader: %q", got)
	}
	h.ok("vm", "kill", "box")

	// It grows, and a plug that is pulled costs it nothing but its cleanliness.
	h.ok("volume", "set", "data", "--size", "400M")
	h.ok("vm", "set", "--volume", "data:/srv/data", "box")
	h.ok("vm", "start", "box")
	h.ok("vm", "exec", "box", "--", "sh", "-c", "echo three > /srv/data/f; sync")
	if free := h.freeBlocks("box", "/srv/data"); free < 300<<20/4096 {
		t.Errorf("%d blocks are free", free)
	}
	h.ok("vm", "kill", "box")
	h.fails("was not unmounted", "vm", "run", "--rm", "--image", "debian", "-v", "data:/d:ro", "--", "true")
	h.ok("vm", "rm", "box")
	h.ok("vm", "run", "--rm", "--image", "debian", "-v", "data:/mnt", "--", "true")
	h.wantClean("data")

	// Whoever has it may destroy it, and nothing else.
	got := h.ok("vm", "run", "--name", "box", "--image", "debian", "-v", "data:/d", "--", "sh", "-c",
		"cat /d/f; umount /d; head -c 100000 /dev/urandom > /dev/vdd; sync")
	if got != "three\n" {
		t.Errorf("read %q", got)
	}
	h.fails("holds no ext4", "vm", "restart", "--timeout", "2m", "box")
	h.ok("vm", "set", "--no-volumes", "box")
	h.ok("vm", "start", "box")
	h.ok("vm", "rm", "--force", "box")
	if got := h.ok("volume", "prune"); got != "data\nnew\n" {
		t.Errorf("pruned %q", got)
	}
	h.wantNothingLeft()
}

// freeBlocks is how many blocks of 4 KiB are free at a path of a guest's.
func (h *host) freeBlocks(name, path string) int {
	h.t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(h.ok("vm", "exec", name, "stat", "-fc", "%a", path)))
	h.must(err)
	return n
}

// wantClean fails where a volume is not as an orderly end leaves it.
func (h *host) wantClean(volume string) {
	h.t.Helper()
	file := filepath.Join(h.home, ".local/state/banger/volumes", volume, "volume.ext4")
	out, err := exec.Command("e2fsck", "-fn", file).CombinedOutput()
	if err != nil || strings.Contains(string(out), "journal recovery") {
		h.t.Errorf("volume %s: %v\n%s", volume, err, out)
	}
}
