package ext4

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// diskUsage is what a file takes on disk, in bytes.
func diskUsage(t *testing.T, info fs.FileInfo) int64 {
	t.Helper()
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatal("no Unix")
	}
	return stat.Blocks * 512
}

// Contents that end in the first group, just before and just after the place of
// the second one's superblock, and in that group: all have little slack, and
// can be grown, be given a journal and be checked after that.
func TestGrow(t *testing.T) {
	content := make([]byte, 150<<20)
	if _, err := rand.NewChaCha8([32]byte{2}).Read(content); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ size, grown int64 }{
		{1, 16 << 20}, {127 << 20, 200 << 20}, {128<<20 - 80<<10, 1 << 30}, {150 << 20, 20 << 30},
	} {
		path := mustBuild(t, file("d/f", string(content[:test.size])))
		info, err := os.Stat(path)
		if slack := info.Size() - test.size; err != nil || slack > 6<<20 {
			t.Errorf("%d bytes take %d more, %v", test.size, slack, err)
		}
		if err := os.Truncate(path, test.grown); err != nil {
			t.Fatal(err)
		}
		tool(t, "e2fsck", "-fp", path)
		tool(t, "resize2fs", path)
		fsck(t, path)
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := Check(f); err != nil || info.Size < test.grown-128<<20 {
			t.Errorf("grown to %d: %+v, %v", test.grown, info, err)
		}
		f.Close()
		tool(t, "tune2fs", "-J", "size=4", path)
		fsck(t, path)
		if got := dump(t, path, "d/f"); !bytes.Equal(got, content[:test.size]) {
			t.Errorf("%d bytes changed by growing", test.size)
		}
		os.RemoveAll(filepath.Dir(path))
	}
}

// Grow leaves what e2fsck calls whole, with a journal where there is room, for
// little writing and with nothing changed.
func TestGrowAtOnce(t *testing.T) {
	content := make([]byte, 130<<20)
	if _, err := rand.NewChaCha8([32]byte{3}).Read(content); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ size, more int64 }{
		{1, 0}, {1, 16 << 20}, {1, 128<<20 - 8192}, {1, 8 << 30}, {120 << 20, 16 << 20}, {127 << 20, 1 << 20}, {130 << 20, 255 << 30},
		{130 << 20, 120 << 20}, {130 << 20, 400<<20 + 12345},
	} {
		path := mustBuild(t, file("d/f", string(content[:test.size])))
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		before, size := diskUsage(t, info), info.Size()+test.more
		if err := f.Truncate(size); err != nil {
			t.Fatal(err)
		}
		if err := Grow(f, size); err != nil {
			t.Fatalf("%d and %d: %v", test.size, test.more, err)
		}
		fsck(t, path)
		if grown, err := Check(f); err != nil || grown.Size > size || grown.Size < size-4<<20 {
			t.Errorf("%d and %d: %+v, %v", test.size, test.more, grown, err)
		}
		if info, _ = f.Stat(); diskUsage(t, info)-before > 1<<20 {
			t.Errorf("%d and %d: took %d bytes on disk", test.size, test.more, diskUsage(t, info)-before)
		}
		f.Close()
		if has := strings.Contains(tool(t, "dumpe2fs", "-h", path), "has_journal"); has != (test.more >= 16<<20) {
			t.Errorf("%d and %d: has a journal: %v", test.size, test.more, has)
		}
		if got := dump(t, path, "d/f"); !bytes.Equal(got, content[:test.size]) {
			t.Errorf("%d bytes changed by growing", test.size)
		}
		os.RemoveAll(filepath.Dir(path))
	}
}

// What was made by others is left as it is.
func TestGrowKeepsToItsOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other")
	for _, options := range [][]string{nil, {"-O", "^has_journal"}, {"-b", "1024"}, {"-t", "ext2"}} {
		tool(t, "mkfs.ext4", append(append([]string{"-q", "-F"}, options...), path, "20M")...)
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := Grow(f, 1<<30); !errors.Is(err, ErrNotGrowable) {
			t.Errorf("mkfs.ext4 %q: %v", options, err)
		}
		f.Close()
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Errorf("mkfs.ext4 %q: it was changed, %v", options, err)
		}
		os.Remove(path)
	}
}

// The kernel writes to what was grown, and finds its journal.
func TestGrownIsMounted(t *testing.T) {
	path := mustBuild(t, awkward()...)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const size = 2 << 30
	if err := errors.Join(f.Truncate(size), Grow(f, size), f.Sync()); err != nil {
		t.Fatal(err)
	}
	root, unmount := mount(t, path, "rw")
	for i := range 3000 {
		name := filepath.Join(root, fmt.Sprintf("new-%d", i%50), fmt.Sprint(i))
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, make([]byte, i*100), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	var st unix.Statfs_t
	if err := unix.Statfs(root, &st); err != nil || int64(st.Bavail)*blockSize < size-200<<20-450<<20 {
		t.Errorf("%d blocks are available, %v", st.Bavail, err)
	}
	unmount()
	fsck(t, path)
}

func TestCRC16(t *testing.T) {
	if got := crc16(0, []byte("123456789")); got != 0xbb3d {
		t.Errorf("got %#x", got)
	}
}
