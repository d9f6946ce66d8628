package ext4

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
)

func TestBitmap(t *testing.T) {
	b := newBitmap(10)
	if b.count() != 8*blockSize-10 || b[0] != 0 || b[1] != 0xfc || b[blockSize-1] != 0xff {
		t.Errorf("a bitmap of 10 begins with %x", b[:3])
	}
	b = make(bitmap, 4)
	b.set(run{3, 10})
	b.clear(run{5, 2})
	if b[0] != 0x98 || b[1] != 0x1f || b.count() != 8 {
		t.Errorf("got %x", b)
	}
}

func TestSuperblockSize(t *testing.T) {
	if size := binary.Size(superblock{}); size != superblockSize {
		t.Errorf("it has %d bytes", size)
	}
}

// For whatever content, tables lie behind it, do not overlap, leave the places
// of superblocks alone and have room for every inode; and there is little slack.
func TestLayout(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 150 {
		content := superArea + random.Uint32N(1<<random.IntN(23))
		count := firstInode + random.Uint32N(1<<random.IntN(22))
		w := &Writer{out: newOutput(nil, maxBlocks)}
		w.out.space.next, w.inodes.count = content, count
		l, err := w.layOut()
		if err != nil {
			t.Fatalf("%d blocks, %d inodes: %v", content, count, err)
		}
		checkLayout(t, l, content, count)
		if t.Failed() {
			t.Fatalf("with %d blocks and %d inodes", content, count)
		}
	}
}

func checkLayout(t *testing.T, l *layout, content, count uint32) {
	t.Helper()
	groups := uint32(len(l.groups))
	if room := groups * l.inodesPerGroup; room < count || l.inodesPerGroup%inodesPerBlock != 0 || l.inodesPerGroup > 8*blockSize {
		t.Errorf("%d groups of %d inodes", groups, l.inodesPerGroup)
	}
	if l.blocks <= (groups-1)*blocksPerGroup || l.blocks > groups*blocksPerGroup {
		t.Errorf("%d blocks in %d groups", l.blocks, groups)
	}
	taken := make(bitmap, groups*blocksPerGroup/8)
	taken.set(run{0, content})
	for i := range groups {
		if hasSuper(i) {
			taken.set(run{i * blocksPerGroup, superArea})
		}
	}
	want := taken.count()
	for _, g := range l.groups {
		for _, r := range []run{{g.inodeTable, l.tableBlocks()}, {g.inodeBitmap, 1}, {g.blockBitmap, 1}} {
			if r.start+r.count > l.blocks {
				t.Errorf("%v lies behind the end", r)
				return
			}
			taken.set(r)
			want += r.count
		}
	}
	if taken.count() != want {
		t.Errorf("of %d blocks, %d overlap", want, want-taken.count())
	}
}

func TestTooManyInodes(t *testing.T) {
	w := &Writer{out: newOutput(nil, maxBlocks)}
	w.out.space.next, w.inodes.count = superArea, maxGroups*8*blockSize+1
	if _, err := w.layOut(); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}
