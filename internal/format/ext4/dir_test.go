package ext4

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestDirBlock(t *testing.T) {
	b := newDirBlock()
	b.add([]byte("."), 2, 2)
	b.add([]byte("name5"), 0x112233, 1)
	b.finish()
	want := "02000000" + "0c00" + "01" + "02" + "2e000000" + "33221100" + "f40f" + "05" + "01" + hex.EncodeToString([]byte("name5")) + "000000"
	if got := hex.EncodeToString(b.data[:28]); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	b = newDirBlock()
	count := 0
	for b.add([]byte(strings.Repeat("n", 248)), 11, 1) { // 256 bytes each
		count++
	}
	if count != 16 || b.used != blockSize {
		t.Errorf("%d entries of 256 bytes in a block", count)
	}
}

// Directories around the sizes at which their form changes: one block, an
// index in one block, an index of two levels.
func TestDirectorySizes(t *testing.T) {
	for _, test := range []struct {
		count  int
		levels string // debugfs' words
	}{
		{0, "Not a hash-indexed directory"},
		{1, "Not a hash-indexed directory"},
		{28, "Not a hash-indexed directory"},
		{29, "Indirect levels: 0"},
		{400, "Indirect levels: 0"},
		{15000, "Indirect levels: 1"},
	} {
		items := []item{dir("d")}
		for i := range test.count {
			name := fmt.Sprintf("d/%s-%05d", strings.Repeat("\xf0", 130), i)
			items = append(items, symlink(name, fmt.Sprint("target-", i)))
		}
		path := mustBuild(t, items...)
		if got := tool(t, "debugfs", "-R", "htree /d", path); !strings.Contains(got, test.levels) {
			t.Errorf("%d entries: %.500s", test.count, got)
		}
		for _, i := range []int{0, test.count / 2, test.count - 1} {
			if test.count > 0 {
				wantStat(t, path, fmt.Sprintf("/d/%s-%05d", strings.Repeat("\xf0", 130), i), fmt.Sprintf(`"target-%d"`, i))
			}
		}
	}
}

// Where names have the same hash, the index marks that they go on in the next
// block.
func TestEqualHashes(t *testing.T) {
	w := &Writer{names: newNames()}
	var hashes []uint32
	for i := range 20 {
		if err := w.names.set(2, fmt.Sprint(i, strings.Repeat("n", 240)), 12); err != nil { // 16 in a block
			t.Fatal(err)
		}
		hashes = append(hashes, 0x10+uint32(i)/18*2)
	}
	d := &directory{w: w, entries: w.names.byParent()}
	got := fmt.Sprint(d.leaves(hashes))
	if want := "[{0 0 16} {17 16 20}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTooManyLeaves(t *testing.T) {
	d := &directory{w: &Writer{}}
	if err := d.writeIndexed(make([]leaf, maxRootPointers*maxNodePointers+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

func TestEncodePointers(t *testing.T) {
	to := make([]byte, 24)
	encodePointers(to, []pointer{{0, 1}, {0x11223344, 2}, {0x55667788, 3}}, 508)
	want := "fc010300" + "01000000" + "44332211" + "02000000" + "88776655" + "03000000"
	if got := hex.EncodeToString(to); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestManyFiles(t *testing.T) {
	const count = 100_000
	path, w := newFile(t, Options{})
	for i := range count {
		f := file(fmt.Sprintf("dir/file-%06d", i), "x")
		if err := w.Add(&f.Header, strings.NewReader(f.content)); err != nil {
			t.Fatal(err)
		}
	}
	finish(t, path, w)
	wantContent(t, path, "/dir/file-000000", "x")
	wantContent(t, path, "/dir/file-099999", "x")
}

// More subdirectories than a link count can hold.
func TestManyDirectories(t *testing.T) {
	path, w := newFile(t, Options{})
	for i := range maxLinks + 10 {
		d := dir(fmt.Sprint("dir/sub-", i))
		if err := w.Add(&d.Header, nil); err != nil {
			t.Fatal(err)
		}
	}
	finish(t, path, w)
	wantStat(t, path, "/dir", "Links: 1 ")
}
