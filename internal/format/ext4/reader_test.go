package ext4

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// readAll reads a file system as entries.
func readAll(r io.ReaderAt) ([]item, error) {
	fs, err := NewReader(r)
	if err != nil {
		return nil, err
	}
	var items []item
	err = fs.Walk(func(h *tar.Header, content io.Reader) error {
		i := item{Header: *h}
		if content != nil {
			data, err := io.ReadAll(content)
			if err != nil {
				return err
			}
			i.content = string(data)
		}
		items = append(items, i)
		return nil
	})
	return items, err
}

func mustRead(t *testing.T, r io.ReaderAt) []item {
	t.Helper()
	items, err := readAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return items
}

func openFile(t testing.TB, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// What is written is read again, with all that an entry can say.
func TestReadWhatWasWritten(t *testing.T) {
	then := time.Unix(5_000_000_000, 123_456_789)
	acl := "\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\x04\x00\xe8\x03\x00\x00\x04\x00\x04\x00\xff\xff\xff\xff" +
		"\x10\x00\x04\x00\xff\xff\xff\xff\x20\x00\x00\x00\xff\xff\xff\xff"
	items := []item{
		dir("."), dir("a"), file("a/big", strings.Repeat("0123456789", 100_000)), file("a/empty", ""), comb("a/holes", 9),
		with(file("a/xattrs", "x"), map[string]string{"user.long": strings.Repeat("v", 3000), "security.capability": "cap\x00", "trusted.t": ""}),
		with(dir("acl"), map[string]string{"system.posix_acl_access": acl}),
		device("blk", tar.TypeBlock, 8, 1), device("chr", tar.TypeChar, 4095, 1<<20-1), device("fifo", tar.TypeFifo, 0, 0),
		link("link", "a/big"), symlink("long", strings.Repeat("t", 300)), symlink("short", "a/big"),
	}
	for i := range items {
		items[i].ModTime, items[i].Uid, items[i].Gid = then, 70_000+i, 1
	}
	items[1].Mode, items[2].Mode = 0o1777, 0o4755
	got := mustRead(t, openFile(t, mustBuild(t, items...)))
	for i := range items {
		h := &items[i].Header
		h.Format = tar.FormatPAX
		maps.DeleteFunc(h.PAXRecords, func(name, _ string) bool { return name == "unrelated" })
		if h.Typeflag == tar.TypeLink { // says what its target does
			h.Mode, h.Uid = items[2].Mode, items[2].Uid
		}
	}
	if diff := cmp.Diff(items, got, cmp.AllowUnexported(item{})); diff != "" {
		t.Error(diff)
	}
}

// Reading and writing again changes nothing any more.
func TestReadIsAFixedPoint(t *testing.T) {
	for seed := range uint64(5) {
		random := rand.New(rand.NewPCG(seed, 9))
		var items []item
		for range 200 {
			if i := invent(random.IntN); accepted(append(items, i)) {
				items = append(items, i)
			}
		}
		once := mustRead(t, bytes.NewReader(inMemory(t, items...)))
		again := inMemory(t, once...)
		if diff := cmp.Diff(once, mustRead(t, bytes.NewReader(again)), cmp.AllowUnexported(item{})); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
		if !bytes.Equal(again, inMemory(t, once...)) {
			t.Errorf("seed %d: other bytes", seed)
		}
	}
}

// manyFiles makes a tree of files, one of them sparse, and tells what they hold.
func manyFiles(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{"small": "x", "big": strings.Repeat("0123456789abcdef", 400_000)}
	for i := range 2000 {
		files[fmt.Sprintf("many/%s%d", strings.Repeat("n", 60), i)] = ""
	}
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	sparse := filepath.Join(root, "sparse")
	if err := errors.Join(os.WriteFile(sparse, []byte("begin"), 0o600), os.Truncate(sparse, 5<<20)); err != nil {
		t.Fatal(err)
	}
	files["sparse"] = "begin" + strings.Repeat("\x00", 5<<20-5)
	return files
}

// File systems that others made: of every age, and of both sizes of blocks.
func TestReadOthers(t *testing.T) {
	root := t.TempDir()
	want := manyFiles(t, root)
	for _, options := range []string{
		"-t ext2 -b 1024", "-t ext2 -b 4096", "-t ext3 -b 1024", "-t ext4", "-t ext4 -b 1024", "-t ext4 -O ^64bit,^metadata_csum",
		"-t ext4 -O meta_bg,^resize_inode", "-t ext4 -b 1024 -O meta_bg,^resize_inode", "-t ext2 -b 1024 -O meta_bg,^resize_inode,^sparse_super",
		"-t ext4 -O bigalloc", "-t ext4 -b 1024 -O bigalloc", "-t ext4 -O mmp", "-t ext4 -O casefold", "-t ext4 -O ea_inode", "-t ext4 -O quota,project",
	} {
		t.Run(options, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "fs")
			tool(t, "mke2fs", append(strings.Fields(options), "-q", "-d", root, path, "64M")...)
			got := map[string]string{}
			for _, i := range mustRead(t, openFile(t, path)) {
				if i.Typeflag == tar.TypeReg {
					got[i.Name] = i.content
				}
			}
			if !maps.Equal(got, want) {
				t.Errorf("%d of %d files are as they were", len(got), len(want))
			}
		})
	}
}

func TestReadUnknownFeatures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fs")
	tool(t, "mke2fs", "-q", "-t", "ext4", "-O", "inline_data", path, "16M")
	if _, err := readAll(openFile(t, path)); !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), "inline_data") {
		t.Errorf("got %v", err)
	}
}

func TestReadDamaged(t *testing.T) {
	sound := inMemory(t, file("a/b/file", strings.Repeat("x", 50_000)), dir("a/d"))
	for name, size := range map[string]int{"nothing": 0, "no superblock": 1500, "no inodes": 18 * blockSize} {
		if _, err := readAll(bytes.NewReader(sound[:size])); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := NewReader(strings.NewReader(strings.Repeat("x", 5000))); !errors.Is(err, ErrNotExt4) {
		t.Errorf("text: %v", err)
	}
}

// Whatever the bytes are, reading them ends, and never in a panic.
func FuzzReader(f *testing.F) {
	sound := inMemory(f, file("a/file", strings.Repeat("x", 5000)), with(dir("d"), map[string]string{"user.a": "b"}),
		symlink("l", strings.Repeat("t", 100)), link("b", "a/file"), device("c", tar.TypeChar, 1, 3))
	f.Add(uint32(0), []byte{})
	f.Add(uint32(superblockAt+40), []byte{0, 0})
	f.Add(uint32(5000), []byte("\x0a\xf3\x04\x00"))
	f.Fuzz(func(t *testing.T, at uint32, change []byte) {
		data := bytes.Clone(sound)
		copy(data[int(at)%len(data):], change)
		fs, err := NewReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		entries := 0
		fs.Walk(func(_ *tar.Header, content io.Reader) error {
			if entries++; entries > 10_000 {
				t.Error("no end of entries")
				return io.EOF
			}
			if content != nil {
				io.CopyN(io.Discard, content, 1<<20)
			}
			return nil
		})
	})
}
