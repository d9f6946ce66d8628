package ext4

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// The hash tree of a directory of more than one block: the leaves are blocks of
// entries in the order of their names' hashes; the index, of one or two
// levels, tells with which hash each begins.
const (
	indexInfoAt     = 24 // in the root, behind the entries for "." and ".."
	indexInfoSize   = 8
	rootIndexAt     = indexInfoAt + indexInfoSize
	nodeIndexAt     = dirEntryHeader // behind an empty entry
	pointerSize     = 8
	maxRootPointers = (blockSize - rootIndexAt) / pointerSize
	maxNodePointers = (blockSize - nodeIndexAt) / pointerSize
)

// leaf is a range of the entries, sorted by hash, that fills a block.
type leaf struct {
	hash     uint32 // of the first, its lowest bit set where the leaf before has it too
	from, to int
}

// pointer is an entry of the index.
type pointer struct{ hash, block uint32 }

// sortByHash sorts the entries and returns their hashes.
func (d *directory) sortByHash() []uint32 {
	type hashed struct {
		hash nameHash
		entry
	}
	seed := d.w.hashSeed()
	all := make([]hashed, len(d.entries))
	for i, e := range d.entries {
		all[i] = hashed{seed.hash(d.w.names.name(e)), e}
	}
	slices.SortFunc(all, func(a, b hashed) int {
		return cmp.Or(cmp.Compare(a.hash.major, b.hash.major), cmp.Compare(a.hash.minor, b.hash.minor), cmp.Compare(a.text, b.text))
	})
	hashes := make([]uint32, len(all))
	for i, h := range all {
		d.entries[i], hashes[i] = h.entry, h.hash.major
	}
	return hashes
}

// leaves divides the entries into blocks.
func (d *directory) leaves(hashes []uint32) []leaf {
	all := []leaf{{}}
	used := 0
	for i, e := range d.entries {
		size := entrySize(d.w.names.name(e))
		if used+size > blockSize {
			hash := hashes[i]
			if hash == hashes[i-1] {
				hash |= 1
			}
			all = append(all, leaf{hash: hash, from: i})
			used = 0
		}
		used += size
		all[len(all)-1].to = i + 1
	}
	return all
}

// writeIndexed stores the root, the second level of the index where there is
// one, and the leaves.
func (d *directory) writeIndexed(leaves []leaf) error {
	nodes := 0
	if len(leaves) > maxRootPointers {
		nodes = (len(leaves) + maxNodePointers - 1) / maxNodePointers
	}
	if nodes > maxRootPointers {
		return fmt.Errorf("a directory of %d entries is %w", len(d.entries), ErrTooLarge)
	}
	pointers := make([]pointer, len(leaves))
	for i, l := range leaves {
		pointers[i] = pointer{l.hash, uint32(1 + nodes + i)}
	}
	if err := d.writeIndex(pointers, nodes); err != nil {
		return err
	}
	for _, l := range leaves {
		block := newDirBlock()
		for _, e := range d.entries[l.from:l.to] {
			d.add(&block, e)
		}
		if err := d.emit(&block); err != nil {
			return err
		}
	}
	return nil
}

func (d *directory) writeIndex(pointers []pointer, nodes int) error {
	if nodes == 0 {
		return d.emitRoot(pointers, 0)
	}
	parts := slices.Collect(slices.Chunk(pointers, maxNodePointers))
	upper := make([]pointer, nodes)
	for i, part := range parts {
		upper[i] = pointer{part[0].hash, uint32(1 + i)}
	}
	if err := d.emitRoot(upper, 1); err != nil {
		return err
	}
	for _, part := range parts {
		block := make([]byte, blockSize)
		binary.LittleEndian.PutUint16(block[4:], blockSize) // an empty entry over all of it
		encodePointers(block[nodeIndexAt:], part, maxNodePointers)
		if err := d.emitRaw(block); err != nil {
			return err
		}
	}
	return nil
}

func (d *directory) emitRoot(pointers []pointer, levels byte) error {
	block := d.firstBlock()
	block.finish()
	info := block.data[indexInfoAt:]
	info[4], info[5], info[6] = halfMD4, indexInfoSize, levels
	encodePointers(block.data[rootIndexAt:], pointers, maxRootPointers)
	return d.emitRaw(block.data)
}

// encodePointers writes a part of the index. Where the first one's hash would
// be, which is the lowest that can come here, are the room and the count.
func encodePointers(to []byte, pointers []pointer, room int) {
	le := binary.LittleEndian
	for i, p := range pointers {
		le.PutUint32(to[i*pointerSize:], p.hash)
		le.PutUint32(to[i*pointerSize+4:], p.block)
	}
	le.PutUint16(to[0:], uint16(room))
	le.PutUint16(to[2:], uint16(len(pointers)))
}
