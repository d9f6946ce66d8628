package vm

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestMissingVMM(t *testing.T) {
	h := newHost(t)
	for vmm, variable := range map[string]string{"qemu": "BANGER_QEMU_BIN", "firecracker": "BANGER_FIRECRACKER_BIN"} {
		h.env = []string{variable + "=/no/such/" + vmm}
		h.fails("there is no program /no/such/"+vmm, "vm", "run", "--vmm", vmm, "--image", "debian", "--", "true")
		h.env = []string{variable + "=/bin/false"}
		h.fails(vmm, "vm", "run", "--vmm", vmm, "--image", "debian", "--", "true")
		h.env = []string{variable + "=/etc/passwd"}
		h.fails("/etc/passwd", "vm", "run", "--vmm", vmm, "--image", "debian", "--", "true")
	}
	h.env = nil
	h.wantNothingLeft()
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	h := emptyHost(t)
	h.must(syscall.Mount("tmpfs", h.home, "tmpfs", 0, "size=64m"))
	t.Cleanup(func() { syscall.Unmount(h.home, syscall.MNT_DETACH) })
	fixtures := filepath.Join(os.Getenv("BANGER_TEST_HOME"), ".local/state/banger")
	h.env = []string{"BANGER_KERNELS_DIR=" + filepath.Join(fixtures, "kernels")}
	tar := filepath.Join(os.Getenv("BANGER_TEST_HOME"), "../debian.tar")
	h.fails("no space left", "image", "pull", "tar:"+tar, "--name", "x", "--kernel-ref", "debian")
	h.fails("no space left", "image", "register", "--name", "x", "--rootfs", filepath.Join(fixtures, "images/debian/rootfs.ext4"), "--kernel-ref", "debian")
	h.env = nil
	h.fails("no space left", "kernel", "import", "x", "--from", filepath.Join(fixtures, "kernels/debian"))
	var left []string
	h.must(filepath.WalkDir(h.home, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			left = append(left, path)
		}
		return err
	}))
	if len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// What is no root filesystem is refused in one line and leaves nothing; the
// image that is there stays.
func TestBadImages(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dir := t.TempDir()
	whole := filepath.Join(os.Getenv("BANGER_TEST_HOME"), "../debian.tar")
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		h.must(os.WriteFile(path, []byte(content), 0o644))
		return path
	}
	cut := filepath.Join(dir, "cut.tar")
	out, err := exec.Command("head", "-c", "50000000", whole).Output()
	h.must(err)
	h.must(os.WriteFile(cut, out, 0o644))
	h.fails("cut", "image", "pull", "tar:"+cut, "--name", "x", "--kernel-ref", "debian")
	h.fails("", "image", "pull", "tar:"+file("page.tar", "<!doctype html><html>"+strings.Repeat(" ", 2000)), "--name", "x", "--kernel-ref", "debian")
	h.fails("", "image", "pull", "tar:"+file("empty.tar", ""), "--name", "x", "--kernel-ref", "debian")
	h.fails("ext4", "image", "register", "--name", "x", "--rootfs", file("no.ext4", strings.Repeat("x", 8192)), "--kernel-ref", "debian")
	h.fails("already exists", "image", "pull", "tar:"+whole, "--name", "debian", "--kernel-ref", "debian")
	h.fails("no kernel is called", "image", "pull", "tar:"+whole, "--name", "x", "--kernel-ref", "absent")
	entries, err := os.ReadDir(filepath.Join(h.home, ".local/state/banger/images"))
	h.must(err)
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

// fill writes to path until its file system has no room.
func fill(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 1<<16))
	}
	if errors.Is(err, syscall.ENOSPC) {
		return nil
	}
	return err
}

// The host's disk is full: the guest hears that, its owner can read why, and all
// that was flushed before is there when there is room again and it was started anew.
func TestHostDiskFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	h := newHost(t)
	vms := filepath.Join(h.home, ".local/state/banger/vms")
	h.must(os.MkdirAll(vms, 0o700))
	h.must(syscall.Mount("tmpfs", vms, "tmpfs", 0, "size=160m"))
	t.Cleanup(func() { syscall.Unmount(vms, syscall.MNT_DETACH) })
	t.Cleanup(h.removeAll)
	h.boot("box")
	ballast := filepath.Join(vms, "ballast")
	h.ok("vm", "exec", "box", "--", "sh", "-c", "echo kept > /root/kept; sync")
	h.must(fill(ballast))
	// What the image has is written to the store, which the kernel then gives up; what
	// memory still holds of it is dropped, since reading that would be no fault.
	r := h.banger("vm", "exec", "box", "--", "sh", "-c", "dd if=/dev/urandom of=/usr/bin/perl bs=1M count=3 conv=notrunc,fsync; s=$?; echo 3 >/proc/sys/vm/drop_caches; exit $s")
	if r.code == 0 {
		t.Error("the guest wrote where there was no room")
	}
	r = h.banger("vm", "exec", "box", "--", "sh", "-c", "dd if=/dev/urandom of=/root/big bs=1M count=50 conv=fsync")
	if r.code == 0 {
		t.Error("the guest wrote more than there was room for")
	}
	v := h.show("box")
	if v.State.Phase != "running" || !strings.Contains(v.State.DiskError, "no space left on device") {
		t.Errorf("got %+v", v.State)
	}
	if list := h.ok("vm", "list"); !strings.Contains(list, "running (disk error)") {
		t.Errorf("the list has %q", list)
	}
	if r := h.banger("vm", "exec", "box", "--", "cat", "/usr/bin/perl"); r.code == 0 || !strings.Contains(r.stderr, "vm restart box") {
		t.Errorf("a command then: exit %d, %s", r.code, r.stderr)
	}
	if log := h.ok("vm", "logs", "--supervisor", "box"); !strings.Contains(log, "no space left on device") {
		t.Errorf("the log has %q", log)
	}
	h.ok("vm", "stop", "--force", "box")
	h.fails("no space left on device", "vm", "start", "box")

	h.must(os.Remove(ballast))
	h.ok("vm", "start", "box")
	if got := h.ok("vm", "exec", "box", "--", "sh", "-c", "rm -f /root/big; echo new > /root/new && sync && cat /root/kept /root/new"); got != "kept\nnew\n" {
		t.Errorf("the guest has %q", got)
	}
	h.stop("box")
	h.wantWhole("debian") // nothing but what was not flushed is lost
	h.ok("vm", "rm", "--force", "box")
}
