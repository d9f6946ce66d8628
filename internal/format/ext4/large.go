package ext4

import (
	"encoding/binary"
	"hash/crc32"
)

// flagEAInode marks an inode that holds the value of an extended attribute.
const flagEAInode = 0x200000

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// writeLarge stores the values of extended attributes that have an inode of
// their own. Their hashes depend on the file system's UUID, which is known last.
func (w *Writer) writeLarge() error {
	for number := uint32(1); number <= w.inodes.count; number++ {
		n := w.inodes.at(number)
		if n.links == 0 || n.xattrs == nil || n.xattrs.pending == nil {
			continue
		}
		all := n.xattrs.pending
		before := w.out.taken
		for i := range all {
			if all[i].large {
				if err := w.writeValue(&all[i]); err != nil {
					return err
				}
			}
		}
		n.xattrs = storeXattrs(all, false)
		if n.isDir() { // whose other blocks are to come
			n.xattrs.values = w.out.taken - before
			continue
		}
		if err := w.writeXattrs(n); err != nil {
			return err
		}
		n.blocks += w.out.taken - before // as the kernel counts
	}
	return nil
}

// writeValue gives a value an inode.
func (w *Writer) writeValue(x *xattr) error {
	taken := w.out.taken
	n := inode{mode: modeFile | 0o600, links: 1, size: int64(len(x.value)), flags: flagExtents | flagEAInode}
	for at, logical := 0, uint32(0); at < len(x.value); at, logical = at+blockSize, logical+1 {
		block := make([]byte, blockSize) // of zeros too: the kernel wants no holes
		copy(block, x.value[at:])
		number, err := w.out.write(block)
		if err != nil {
			return err
		}
		if err := w.extents.add(logical, number); err != nil {
			return err
		}
	}
	var err error
	if n.body, err = w.extents.finish(); err != nil {
		return err
	}
	uuid := w.uuid()
	x.sum = ^crc32.Update(crc32.Checksum(uuid[:], castagnoli), castagnoli, x.value)
	n.blocks, n.sec = w.out.taken-taken, int64(x.sum)
	x.inode = w.inodes.add(n)
	w.hasLarge = true
	return nil
}

// encodeLarge writes what the inode of a value has in place of times: the value's
// hash, and how many attributes have it.
func (n *inode) encodeLarge(to []byte) {
	le := binary.LittleEndian
	le.PutUint32(to[8:], uint32(n.sec))
	le.PutUint32(to[12:], 0) // the count's higher half
	le.PutUint32(to[36:], 1)
	for _, at := range []int{16, 132, 136, 140, 144, 148} {
		le.PutUint32(to[at:], 0)
	}
}
