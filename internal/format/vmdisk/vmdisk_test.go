package vmdisk

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"banger/internal/format/ext4"
	"banger/internal/format/vmdisk/vmdisktest"
)

// makeImage writes an image of a size that Writer gives it, with one file.
func makeImage(t *testing.T, content []byte) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "image"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	w, err := ext4.NewWriter(f, ext4.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add(&tar.Header{Name: "file", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content))}, bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return f
}

// format makes a disk beside image.
func format(t *testing.T, image *os.File, plain int64) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := image.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if err := Format(f, image, info.Size(), plain); err != nil {
		t.Fatal(err)
	}
	return f
}

// join is the root that the kernel would make of image and disk.
func join(t *testing.T, image, disk *os.File) string {
	t.Helper()
	info, err := image.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return vmdisktest.Join(t, image.Name(), disk.Name(), int64(PlainSector(uint64(info.Size())/SectorSize))*SectorSize)
}

// The root is whole, as large as image and disk, and has a journal outside the
// image; the disk takes little room.
func TestFormat(t *testing.T) {
	content := bytes.Repeat([]byte("content\n"), 20<<20/8)
	for _, plain := range []int64{16 << 20, 8 << 30, 200 << 30} {
		image := makeImage(t, content)
		before, err := os.ReadFile(image.Name())
		if err != nil {
			t.Fatal(err)
		}
		disk := format(t, image, plain)
		info, err := disk.Stat()
		if err != nil || info.Sys().(*syscall.Stat_t).Blocks*512 > 1<<20 {
			t.Errorf("a disk of %d takes %d bytes, %v", plain, info.Sys().(*syscall.Stat_t).Blocks*512, err)
		}
		if after, err := os.ReadFile(image.Name()); err != nil || !bytes.Equal(before, after) {
			t.Errorf("the image was changed, %v", err)
		}
		root := join(t, image, disk)
		if out, err := exec.Command("/usr/sbin/e2fsck", "-fn", root).CombinedOutput(); err != nil {
			t.Errorf("with %d bytes: %v\n%s", plain, err, out)
		}
		out, err := exec.Command("/usr/sbin/debugfs", "-R", "stat <8>", root).CombinedOutput()
		first := len(before) / 4096
		if err != nil || !strings.Contains(string(out), "(0-") {
			t.Errorf("there is no journal behind block %d: %v\n%s", first, err, out)
		}
		if got, err := exec.Command("/usr/sbin/debugfs", "-R", "cat /file", root).Output(); err != nil || !bytes.Equal(got, content) {
			t.Errorf("the file has changed, %v", err)
		}
	}
}

// What banger did not write is left as it is, with an empty store.
func TestFormatForeign(t *testing.T) {
	image, err := os.Create(filepath.Join(t.TempDir(), "image"))
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	if out, err := exec.Command("/usr/sbin/mkfs.ext4", "-q", "-b", "1024", image.Name(), "10239").CombinedOutput(); err != nil {
		t.Skipf("needs mkfs.ext4: %v: %s", err, out)
	}
	before, err := os.ReadFile(image.Name())
	if err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(join(t, image, format(t, image, 16<<20)))
	if err != nil || !bytes.Equal(after[:len(before)], before) || len(bytes.Trim(after[len(before):], "\x00")) != 0 {
		t.Errorf("it was changed, %v", err)
	}
}

// More changes than a list holds, across the image's odd end.
func TestStore(t *testing.T) {
	const sectors = 600*8 + 3
	image, err := os.Create(filepath.Join(t.TempDir(), "image"))
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	want := bytes.Repeat([]byte("old."), sectors*512/4)
	if _, err := image.Write(want); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(Size(sectors*512, 1<<20)); err != nil {
		t.Fatal(err)
	}
	d := newDisk(f, image, sectors)
	want = append(want, make([]byte, 1<<20)...)
	for at := int64(100); at < sectors*512+9000; at += 5000 {
		text := []byte("new content")
		copy(want[at:], text)
		if _, err := d.WriteAt(text, at); err != nil {
			t.Fatal(err)
		}
	}
	across := bytes.Repeat([]byte("across"), 2000)
	copy(want[sectors*512-5000:], across)
	if _, err := d.WriteAt(across, sectors*512-5000); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, sectors*512)
	if _, err := d.ReadAt(got, 0); err != nil || !bytes.Equal(got, want[:len(got)]) {
		t.Errorf("it reads otherwise before close, %v", err)
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(join(t, image, f)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("it reads otherwise, %v", err)
	}
}

// The store has room for the worst, each chunk changed, and for the list that
// the kernel empties when the last one is full; and blocks of the root are pages
// of the disk's file, or its host would read to write.
func TestLayout(t *testing.T) {
	for _, image := range []uint64{1, 8, 255 * 8, 256 * 8, 257 * 8, 500_003, 20 << 21} {
		chunks := (image + 7) / 8
		next := uint64(2) // as the kernel counts, which passes over the lists
		for range chunks {
			if next++; next%257 == 1 {
				next++
			}
		}
		emptied := 1 + (chunks/256)*257
		if room := NoteSector(image) / 8; room < next || room <= emptied {
			t.Errorf("%d sectors: room for %d chunks, where %d and %d are used", image, room, next, emptied)
		}
		if at := PlainSector(image); at%8 != image%8 || at < NoteSector(image)+8 {
			t.Errorf("behind %d sectors the root goes on at %d", image, at)
		}
	}
	if got := Size(1<<20, 1<<30) - 1<<30; got < 1<<20 || got > 4<<20 {
		t.Errorf("a disk for 1 MiB is %d larger", got)
	}
}

// A root is clean as it is made, not while its superblock says that its journal
// is to be replayed, and clean again then.
func TestIsClean(t *testing.T) {
	image := makeImage(t, []byte("content"))
	info, err := image.Stat()
	if err != nil {
		t.Fatal(err)
	}
	disk := format(t, image, 16<<20)
	want := func(clean bool) {
		t.Helper()
		if got, err := IsClean(disk, image, info.Size()); err != nil || got != clean {
			t.Errorf("clean %v, %v", got, err)
		}
	}
	want(true)
	const replay, incompatAt = 4, 1024 + 0x60
	first, err := firstChunk(disk, image, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range []byte{replay, 0} {
		first[incompatAt] = first[incompatAt]&^replay | flag
		whole, err := os.ReadFile(disk.Name())
		if err != nil {
			t.Fatal(err)
		}
		at := int64(bytes.Index(whole, first[1024:][:0x60]))
		if at < chunkSize {
			t.Fatal("the superblock is not on the disk")
		}
		if _, err := disk.WriteAt(first, at-1024); err != nil {
			t.Fatal(err)
		}
		want(flag == 0)
	}
	if _, err := IsClean(bytes.NewReader(make([]byte, chunkSize)), image, info.Size()); err == nil {
		t.Error("zeros are a disk")
	}
	if _, err := IsClean(bytes.NewReader(nil), image, info.Size()); err == nil {
		t.Error("nothing is a disk")
	}
}
