package ext4

import "encoding/binary"

// extent says where a run of a file's blocks is.
type extent struct{ logical, start, count uint32 }

type extents []extent

const (
	maxExtent      = 32768 // blocks; more would mean an unwritten one
	extentMagic    = 0xf30a
	extentSize     = 12
	extentsInInode = bodySize/extentSize - 1
	extentsInBlock = blockSize/extentSize - 1
)

func (e *extents) append(logical, block uint32) {
	if last := len(*e) - 1; last >= 0 {
		l := &(*e)[last]
		if l.logical+l.count == logical && l.start+l.count == block && l.count < maxExtent {
			l.count++
			return
		}
	}
	*e = append(*e, extent{logical, block, 1})
}

// setExtents stores a file's extents: in the inode, or as a tree whose root is
// there.
func (w *Writer) setExtents(n *inode, level extents) error {
	n.flags |= flagExtents
	depth := 0
	for ; len(level) > extentsInInode; depth++ {
		var above extents
		for len(level) > 0 {
			count := min(len(level), extentsInBlock)
			block := make([]byte, blockSize)
			encodeExtents(block, level[:count], depth, extentsInBlock)
			number, err := w.out.write(block)
			if err != nil {
				return err
			}
			n.owned = appendRun(n.owned, number)
			above = append(above, extent{logical: level[0].logical, start: number})
			level = level[count:]
		}
		level = above
	}
	encodeExtents(n.body[:], level, depth, extentsInInode)
	return nil
}

// encodeExtents writes a node of the tree: extents at depth 0, else pointers to
// the nodes below.
func encodeExtents(to []byte, level extents, depth, room int) {
	le := binary.LittleEndian
	le.PutUint16(to[0:], extentMagic)
	le.PutUint16(to[2:], uint16(len(level)))
	le.PutUint16(to[4:], uint16(room))
	le.PutUint16(to[6:], uint16(depth))
	for i, e := range level {
		at := to[(i+1)*extentSize:]
		le.PutUint32(at[0:], e.logical)
		if depth > 0 {
			le.PutUint32(at[4:], e.start)
			continue
		}
		le.PutUint16(at[4:], uint16(e.count))
		le.PutUint32(at[8:], e.start)
	}
}
