package vm

import (
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
		h.fails("/no/such/"+vmm+" is not installed", "vm", "run", "--vmm", vmm, "--image", "debian", "--", "true")
		h.env = []string{variable + "=/bin/false"}
		h.fails(vmm, "vm", "run", "--vmm", vmm, "--image", "debian", "--", "true")
		h.env = []string{variable + "=/etc/passwd"}
		h.fails("/etc/passwd", "vm", "run", "--vmm", vmm, "--image", "debian", "--", "true")
	}
	h.env = nil
	h.wantNothingLeft()
}

func TestFullDisk(t *testing.T) {
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
