package ext4

import (
	"encoding/binary"
	"maps"
	"slices"
)

const dirEntryHeader = 8

// fileTypes are a directory entry's, by the mode's upper four bits.
var fileTypes = map[uint16]byte{
	modeFile: 1, modeDir: 2, modeChar: 3, modeBlock: 4, modeFifo: 5, modeSymlink: 7,
}

// writeDirectories stores the content of all directories, which is only known
// at the end.
func (w *Writer) writeDirectories() error {
	for i := range w.inodes {
		n := &w.inodes[i]
		if n.links == 0 || !n.isDir() {
			continue
		}
		if err := w.writeDirectory(uint32(i+1), n); err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) writeDirectory(number uint32, n *inode) error {
	var e extents
	var logical int64
	block := dirBlock{data: make([]byte, blockSize)}
	emit := func() error {
		block.finish()
		err := w.store(n, &e, logical, block.data)
		logical++
		block = dirBlock{data: make([]byte, blockSize)}
		return err
	}
	block.add(".", number, fileTypes[modeDir])
	block.add("..", n.parent, fileTypes[modeDir])
	for _, name := range slices.Sorted(maps.Keys(n.entries)) {
		child := n.entries[name]
		kind := fileTypes[w.inode(child).mode&modeType]
		if block.add(name, child, kind) {
			continue
		}
		if err := emit(); err != nil {
			return err
		}
		block.add(name, child, kind)
	}
	if err := emit(); err != nil {
		return err
	}
	n.size = logical * blockSize
	return w.setExtents(n, e)
}

// dirBlock is a block of a linear directory.
type dirBlock struct {
	data []byte
	used int
	last int // where the last entry begins
}

// add appends an entry and tells whether there was room for it.
func (b *dirBlock) add(name string, number uint32, kind byte) bool {
	size := (dirEntryHeader + len(name) + 3) &^ 3
	if b.used+size > blockSize {
		return false
	}
	at := b.data[b.used:]
	binary.LittleEndian.PutUint32(at[0:], number)
	binary.LittleEndian.PutUint16(at[4:], uint16(size))
	at[6], at[7] = byte(len(name)), kind
	copy(at[dirEntryHeader:], name)
	b.last = b.used
	b.used += size
	return true
}

// finish makes the last entry reach to the block's end.
func (b *dirBlock) finish() {
	binary.LittleEndian.PutUint16(b.data[b.last+4:], uint16(blockSize-b.last))
}
