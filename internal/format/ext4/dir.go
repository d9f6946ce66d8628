package ext4

import "encoding/binary"

const dirEntryHeader = 8

// fileTypes are a directory entry's, by the mode's upper four bits.
var fileTypes = [16]byte{
	modeFile >> 12: 1, modeDir >> 12: 2, modeChar >> 12: 3, modeBlock >> 12: 4, modeFifo >> 12: 5, modeSymlink >> 12: 7,
}

// writeDirectories stores the content of all directories, which is only known
// at the end.
func (w *Writer) writeDirectories() error {
	entries := w.names.byParent()
	for number := uint32(rootInode); number <= w.inodes.count; number++ {
		n := w.inodes.at(number)
		if !n.isDir() {
			continue
		}
		first, taken := w.out.space.next, w.out.taken
		if err := w.writeDirectory(number, n, entries[:n.children]); err != nil {
			return err
		}
		if err := w.writeXattrs(n); err != nil {
			return err
		}
		n.first, n.blocks = first, w.out.taken-taken
		if n.xattrs != nil {
			n.blocks += n.xattrs.values
		}
		entries = entries[n.children:]
	}
	return nil
}

// directory is one whose blocks are being written.
type directory struct {
	w       *Writer
	number  uint32
	parent  uint32
	entries []entry
	written uint32 // blocks
}

func (w *Writer) writeDirectory(number uint32, n *inode, entries []entry) (err error) {
	d := &directory{w: w, number: number, parent: n.parent, entries: entries}
	n.flags = flagExtents
	if d.fitsBlock() {
		err = d.writeBlock()
	} else {
		n.flags |= flagIndex
		err = d.writeIndexed(d.leaves(d.sortByHash()))
	}
	if err != nil {
		return err
	}
	n.size = int64(d.written) * blockSize
	n.body, err = w.extents.finish()
	return err
}

// fitsBlock reports whether one block holds all.
func (d *directory) fitsBlock() bool {
	total := 2 * entrySize([]byte(".."))
	for _, e := range d.entries {
		total += entrySize(d.w.names.name(e))
	}
	return total <= blockSize
}

// writeBlock stores the entries one after another.
func (d *directory) writeBlock() error {
	block := d.firstBlock()
	for _, e := range d.entries {
		d.add(&block, e)
	}
	return d.emit(&block)
}

// firstBlock returns a block with the two entries that every directory has.
func (d *directory) firstBlock() dirBlock {
	block := newDirBlock()
	block.add([]byte("."), d.number, fileTypes[modeDir>>12])
	block.add([]byte(".."), d.parent, fileTypes[modeDir>>12])
	return block
}

func (d *directory) add(block *dirBlock, e entry) {
	block.add(d.w.names.name(e), e.inode, fileTypes[d.w.inodes.at(e.inode).mode>>12])
}

func (d *directory) emit(block *dirBlock) error {
	block.finish()
	return d.emitRaw(block.data)
}

func (d *directory) emitRaw(block []byte) error {
	d.written++
	return d.w.store(d.written-1, block)
}

// dirBlock is a block of directory entries.
type dirBlock struct {
	data []byte
	used int
	last int // where the last entry begins
}

func newDirBlock() dirBlock { return dirBlock{data: make([]byte, blockSize)} }

// entrySize is the space that a name takes.
func entrySize(name []byte) int { return (dirEntryHeader + len(name) + 3) &^ 3 }

// add appends an entry and reports whether there was room for it.
func (b *dirBlock) add(name []byte, number uint32, kind byte) bool {
	size := entrySize(name)
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
