package ext4

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

func TestEncodeExtents(t *testing.T) {
	tests := []struct {
		extents []extent
		depth   int
		want    string
	}{
		{nil, 0, "0af3 0000 0400 0000 00000000"},
		{[]extent{{0, 100, 3}}, 0, "0af3 0100 0400 0000 00000000  00000000 0300 0000 64000000"},
		{[]extent{{5, 100, maxExtent}}, 0, "0af3 0100 0400 0000 00000000  05000000 0080 0000 64000000"},
		{[]extent{{0, 100, 0}, {340, 200, 0}}, 1, "0af3 0200 0400 0100 00000000  00000000 64000000 0000 0000  54010000 c8000000 0000 0000"},
	}
	for _, test := range tests {
		to := make([]byte, extentSize*(1+len(test.extents)))
		encodeExtents(to, test.extents, test.depth, extentsInInode)
		if got := hex.EncodeToString(to); got != strings.ReplaceAll(test.want, " ", "") {
			t.Errorf("%v: got %s, want %s", test.extents, got, test.want)
		}
	}
}

// readExtents follows a tree to its leaves.
func readExtents(t *testing.T, m *memory, node []byte) (all []extent, depth int) {
	t.Helper()
	le := binary.LittleEndian
	if le.Uint16(node) != extentMagic {
		t.Fatalf("a node begins with %x", node[:2])
	}
	depth = int(le.Uint16(node[6:]))
	for i := range int(le.Uint16(node[2:])) {
		at := node[(i+1)*extentSize:]
		if depth == 0 {
			all = append(all, extent{le.Uint32(at), le.Uint32(at[8:]), uint32(le.Uint16(at[4:]))})
			continue
		}
		below, _ := readExtents(t, m, m.data[int(le.Uint32(at[4:]))*blockSize:][:blockSize])
		if below[0].logical != le.Uint32(at) {
			t.Errorf("a node for block %d begins with %d", le.Uint32(at), below[0].logical)
		}
		all = append(all, below...)
	}
	return all, depth
}

func TestExtentTree(t *testing.T) {
	const leaf = extentsInBlock
	for count, wantDepth := range map[int]int{
		0: 0, 1: 0, 4: 0, 5: 1, leaf: 1, leaf + 1: 1, 4 * leaf: 1, 4*leaf + 1: 2, 4 * leaf * leaf: 2, 4*leaf*leaf + 1: 3,
	} {
		m := &memory{}
		o := newOutput(m, maxBlocks)
		tree := extentTree{out: o}
		for i := range count {
			if err := tree.add(uint32(2*i), uint32(3*i+1)); err != nil { // every second one is a hole
				t.Fatal(err)
			}
		}
		root, err := tree.finish()
		if err != nil {
			t.Fatal(err)
		}
		if err := o.flush(); err != nil {
			t.Fatal(err)
		}
		got, depth := readExtents(t, m, []byte(root))
		if len(got) != count || depth != wantDepth {
			t.Errorf("%d extents came back as %d at depth %d", count, len(got), depth)
		}
		for i, e := range got {
			if want := (extent{uint32(2 * i), uint32(3*i + 1), 1}); e != want {
				t.Fatalf("of %d extents, %d is %v, want %v", count, i, e, want)
			}
		}
	}
}

// What lies together is one extent, as far as one can reach; and the tree is
// empty after finish.
func TestExtentsJoin(t *testing.T) {
	tree := extentTree{out: newOutput(&memory{}, maxBlocks)}
	for range 2 {
		for i := range uint32(maxExtent + 10) {
			if err := tree.add(i, 1000+i); err != nil {
				t.Fatal(err)
			}
		}
		if err := tree.add(maxExtent+11, 1000+maxExtent+10); err != nil { // after a hole
			t.Fatal(err)
		}
		root, err := tree.finish()
		if err != nil {
			t.Fatal(err)
		}
		got, _ := readExtents(t, nil, []byte(root))
		want := []extent{{0, 1000, maxExtent}, {maxExtent, 1000 + maxExtent, 10}, {maxExtent + 11, 1000 + maxExtent + 10, 1}}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}
