package ext4

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// mount mounts a file system until the test ends or the result is called.
func mount(t *testing.T, path, options string) (dir string, unmount func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount")
	}
	dir = t.TempDir()
	if out, err := exec.Command("mount", "-t", "ext4", "-o", "loop,"+options, path, dir).CombinedOutput(); err != nil {
		t.Skipf("needs loop devices: %v: %s", err, out)
	}
	mounted := true
	unmount = func() {
		if !mounted {
			return
		}
		mounted = false
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	}
	t.Cleanup(unmount)
	return dir, unmount
}

// awkward is a tree with all that a tar can hold.
func awkward() []item {
	when := time.Unix(1700000000, 123456789)
	items := []item{
		dir("."), dir("d"), file("d/empty", ""), file("d/block", strings.Repeat("b", blockSize)), comb("d/comb", 2000),
		symlink("fast", "d/empty"), symlink("slow", strings.Repeat("s", 60)), symlink("longest", strings.Repeat("l", 4095)),
		device("char", tar.TypeChar, 1, 3), device("block", tar.TypeBlock, 259, 70000), device("zero", tar.TypeChar, 0, 0), device("pipe", tar.TypeFifo, 0, 0),
		file("bytes\xff\xfe\n", "not UTF-8"), file(strings.Repeat("n", 255), "long"),
		with(file("ping", "ping"), map[string]string{"security.capability": capability, "user.a": "1", "trusted.b": "", "user.big": strings.Repeat("v", 3000)}),
		with(file("acl", ""), map[string]string{"system.posix_acl_access": aclInTar}),
		with(dir("acl-d"), map[string]string{"system.posix_acl_access": aclInTar, "system.posix_acl_default": aclInTar}),
		with(symlink("attributed", "d"), map[string]string{"trusted.t": strings.Repeat("t", 500)}),
	}
	for i := range items {
		items[i].Uid, items[i].Gid, items[i].ModTime = 1000+i, 1<<20+i, when.Add(time.Duration(i)*1e9)
	}
	items[0].Mode, items[2].Mode, items[4].Mode = 0o1755, 0o6711, 0
	items[2].ModTime, items[3].ModTime = time.Date(1935, 1, 1, 0, 0, 0, 5, time.UTC), time.Date(2100, 1, 1, 0, 0, 0, 5, time.UTC)
	items[15].Mode, items[16].Mode = 0o674, 0o674 // the list's mask is the group's part
	for i := range 3000 {
		items = append(items, file(fmt.Sprintf("many/%d-%d", i, i), fmt.Sprint(i)))
	}
	return items
}

// The kernel sees what the tar said.
func TestMounted(t *testing.T) {
	items := awkward()
	path := mustBuild(t, append(items, link("d/link", "d/comb"))...)
	root, _ := mount(t, path, "ro")
	for _, i := range items {
		wantMounted(t, filepath.Join(root, i.Name), i)
	}
	var one, two unix.Stat_t
	if err := unix.Lstat(filepath.Join(root, "d/comb"), &one); err != nil {
		t.Fatal(err)
	}
	if err := unix.Lstat(filepath.Join(root, "d/link"), &two); err != nil || one != two || one.Nlink != 2 {
		t.Errorf("the hard link is %+v, %v, want %+v", two, err, one)
	}
	if names, err := os.ReadDir(filepath.Join(root, "many")); err != nil || len(names) != 3000 {
		t.Errorf("%d of 3000 names, %v", len(names), err)
	}
	if _, err := os.Lstat(filepath.Join(root, "many/absent")); !os.IsNotExist(err) {
		t.Errorf("an absent name: %v", err)
	}
}

var formats = map[byte]uint32{
	tar.TypeReg: unix.S_IFREG, tar.TypeDir: unix.S_IFDIR, tar.TypeSymlink: unix.S_IFLNK,
	tar.TypeChar: unix.S_IFCHR, tar.TypeBlock: unix.S_IFBLK, tar.TypeFifo: unix.S_IFIFO,
}

func wantMounted(t *testing.T, path string, i item) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Errorf("%q: %v", path, err)
		return
	}
	if want := formats[i.Typeflag] | uint32(i.Mode); st.Mode != want {
		t.Errorf("%q: mode %o, want %o", i.Name, st.Mode, want)
	}
	if int(st.Uid) != i.Uid || int(st.Gid) != i.Gid {
		t.Errorf("%q: owner %d:%d, want %d:%d", i.Name, st.Uid, st.Gid, i.Uid, i.Gid)
	}
	want := i.ModTime
	if want.IsZero() {
		want = time.Unix(0, 0)
	}
	if got := time.Unix(st.Mtim.Unix()); !got.Equal(want) {
		t.Errorf("%q: time %v, want %v", i.Name, got, want)
	}
	switch i.Typeflag {
	case tar.TypeReg:
		if got, err := os.ReadFile(path); err != nil || string(got) != i.content {
			t.Errorf("%q: %d bytes, %v, want %d", i.Name, len(got), err, len(i.content))
		}
	case tar.TypeSymlink:
		if got, err := os.Readlink(path); err != nil || got != i.Linkname {
			t.Errorf("%q: leads to %q, %v", i.Name, got, err)
		}
	case tar.TypeChar, tar.TypeBlock:
		if st.Rdev != unix.Mkdev(uint32(i.Devmajor), uint32(i.Devminor)) {
			t.Errorf("%q: device %#x, want %d:%d", i.Name, st.Rdev, i.Devmajor, i.Devminor)
		}
	}
	wantXattrs(t, path, i)
}

func wantXattrs(t *testing.T, path string, i item) {
	t.Helper()
	list := make([]byte, 4096)
	size, err := unix.Llistxattr(path, list)
	if err != nil {
		t.Errorf("%q: %v", i.Name, err)
		return
	}
	found := bytes.Count(list[:size], []byte{0})
	for key, want := range i.PAXRecords {
		name, ok := strings.CutPrefix(key, paxXattrPrefix)
		if !ok {
			continue
		}
		found--
		value := make([]byte, 4096)
		size, err := unix.Lgetxattr(path, name, value)
		if err != nil || string(value[:max(size, 0)]) != want {
			t.Errorf("%q: %s is %.20q, %v, want %.20q", i.Name, name, value[:max(size, 0)], err, want)
		}
	}
	if found != 0 {
		t.Errorf("%q: has %q", i.Name, list[:size])
	}
}

// The kernel can change what was made here, and leaves it whole.
func TestMountedForWriting(t *testing.T) {
	path := mustBuild(t, awkward()...)
	if err := os.Truncate(path, 200<<20); err != nil {
		t.Fatal(err)
	}
	tool(t, "resize2fs", path)
	root, unmount := mount(t, path, "rw")
	for i := range 3000 {
		if err := os.WriteFile(filepath.Join(root, fmt.Sprintf("many/new-%d", i)), make([]byte, i), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(root, fmt.Sprintf("many/%d-%d", i, i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Lsetxattr(filepath.Join(root, "ping"), "user.new", make([]byte, 50), 0); err != nil {
		t.Error(err)
	}
	if err := os.RemoveAll(filepath.Join(root, "d")); err != nil {
		t.Error(err)
	}
	unmount()
	fsck(t, path)
}
