// Package vmdisktest reads VMs' disks by the description of dm-snapshot's format
// and not by the code that writes them.
package vmdisktest

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	chunk   = 4096
	perList = chunk / 16
)

// Join writes the root that the kernel would make of an image and a VM's disk,
// which goes on behind the image from plain on, to a file and returns its path.
func Join(t *testing.T, image, disk string, plain int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "root")
	root, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	pristine, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer pristine.Close()
	if _, err := io.Copy(root, pristine); err != nil {
		t.Fatal(err)
	}
	from, err := os.Open(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	end, err := root.Seek(0, io.SeekEnd)
	if err != nil {
		t.Fatal(err)
	}
	copyChanged(t, root, from, end)
	copyPlain(t, root, from, end, plain)
	return path
}

// copyChanged puts the chunks of the image that changed in their places.
func copyChanged(t *testing.T, root, disk *os.File, end int64) {
	t.Helper()
	le := binary.LittleEndian
	header := read(t, disk, 0, 16)
	if string(header[:4]) != "SnAp" || le.Uint32(header[4:]) != 1 || le.Uint32(header[8:]) != 1 || le.Uint32(header[12:]) != chunk/512 {
		t.Fatalf("the store begins with %q", header)
	}
	for list := int64(1); ; list += 1 + perList {
		entries := read(t, disk, list*chunk, chunk)
		for i := range int64(perList) {
			from, to := int64(le.Uint64(entries[16*i:])), int64(le.Uint64(entries[16*i+8:]))
			if to == 0 {
				return
			}
			size := min(chunk, end-from*chunk)
			if size <= 0 {
				t.Fatalf("exception %d of the list at %d is of chunk %d, behind the image", i, list, from)
			}
			if _, err := root.WriteAt(read(t, disk, to*chunk, size), from*chunk); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// copyPlain appends the plain region, but for its holes.
func copyPlain(t *testing.T, root, disk *os.File, end, plain int64) {
	t.Helper()
	size, err := disk.Seek(0, io.SeekEnd)
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Truncate(end + size - plain); err != nil {
		t.Fatal(err)
	}
	for at := plain; ; {
		from, err := disk.Seek(at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return
		}
		if err == nil {
			at, err = disk.Seek(from, unix.SEEK_HOLE)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.NewOffsetWriter(root, end+from-plain), io.NewSectionReader(disk, from, at-from)); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, f *os.File, at, n int64) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	return b
}
