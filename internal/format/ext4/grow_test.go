package ext4

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
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
		if slack := info.Size() - test.size; err != nil || slack > 1<<20 {
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
