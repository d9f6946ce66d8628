package ext4

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
)

// names are the entries of all directories: one table without pointers, as
// there can be millions of them.
type names struct {
	seed    maphash.Seed
	slots   []uint32 // open addressing; an entry's place + 1, or 0
	entries []entry
	text    []byte
}

// entry is a name in a directory. One that was removed has the inode 0.
type entry struct {
	parent uint32
	inode  uint32
	text   uint32 // where in names.text: a byte for the length, then the name
}

func newNames() names {
	return names{seed: maphash.MakeSeed(), slots: make([]uint32, 1024)}
}

func (t *names) name(e entry) []byte {
	size := uint32(t.text[e.text])
	return t.text[e.text+1:][:size]
}

// get returns the inode that has the name in a directory, or 0.
func (t *names) get(parent uint32, name string) uint32 {
	if at := t.slots[t.slot(parent, []byte(name))]; at != 0 {
		return t.entries[at-1].inode
	}
	return 0
}

// set gives a name of at most 255 bytes in a directory to an inode; 0 takes
// the name away.
func (t *names) set(parent uint32, name string, inode uint32) error {
	slot := t.slot(parent, []byte(name))
	if at := t.slots[slot]; at != 0 {
		t.entries[at-1].inode = inode
		return nil
	}
	if len(t.text)+1+len(name) > math.MaxUint32 {
		return fmt.Errorf("names altogether %w", ErrTooLarge)
	}
	t.entries = append(t.entries, entry{parent, inode, uint32(len(t.text))})
	t.text = append(append(t.text, byte(len(name))), name...)
	t.slots[slot] = uint32(len(t.entries))
	if len(t.entries) > len(t.slots)/4*3 {
		t.grow()
	}
	return nil
}

// slot returns where the name's entry is, or belongs.
func (t *names) slot(parent uint32, name []byte) int {
	const odd = 0x9e3779b97f4a7c15
	mask := len(t.slots) - 1
	slot := int(maphash.Bytes(t.seed, name)+uint64(parent)*odd) & mask
	for ; t.slots[slot] != 0; slot = (slot + 1) & mask {
		e := t.entries[t.slots[slot]-1]
		if e.parent == parent && bytes.Equal(t.name(e), name) {
			break
		}
	}
	return slot
}

func (t *names) grow() {
	t.slots = make([]uint32, 2*len(t.slots))
	for i, e := range t.entries {
		t.slots[t.slot(e.parent, t.name(e))] = uint32(i + 1)
	}
}

// byParent returns the entries that were not removed, directory by directory,
// each in the order in which they came.
func (t *names) byParent() []entry {
	t.slots = nil // the table is at its end
	sorted := slices.DeleteFunc(t.entries, func(e entry) bool { return e.inode == 0 })
	slices.SortFunc(sorted, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.parent, b.parent), cmp.Compare(a.text, b.text))
	})
	return sorted
}
