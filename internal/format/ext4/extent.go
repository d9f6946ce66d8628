package ext4

import "encoding/binary"

// extent says where a run of a file's blocks is; in a node above the leaves,
// where the node for the blocks from logical on is.
type extent struct{ logical, start, count uint32 }

const (
	maxExtent      = 32768 // blocks; more would mean an unwritten one
	maxDepth       = 4     // enough for 2^32 extents
	extentMagic    = 0xf30a
	extentSize     = 12
	extentsInInode = bodySize/extentSize - 1
	extentsInBlock = blockSize/extentSize - 1
)

// extentTree maps a file's blocks. Its nodes are written as they fill, so that
// it stays small however scattered the file is.
type extentTree struct {
	out    *output
	levels [maxDepth + 1][]extent // the node that is filling at each depth, leaves first
	top    int                    // the highest depth in use
}

// add appends a block of the file; they come in order.
func (t *extentTree) add(logical, block uint32) error {
	if leaf := t.levels[0]; len(leaf) > 0 {
		last := &leaf[len(leaf)-1]
		if last.logical+last.count == logical && last.start+last.count == block && last.count < maxExtent {
			last.count++
			return nil
		}
	}
	return t.push(0, extent{logical, block, 1})
}

func (t *extentTree) push(depth int, e extent) error {
	if len(t.levels[depth]) == extentsInBlock {
		if err := t.spill(depth); err != nil {
			return err
		}
	}
	t.levels[depth] = append(t.levels[depth], e)
	t.top = max(t.top, depth)
	return nil
}

// spill writes the node at depth and enters it into the one above.
func (t *extentTree) spill(depth int) error {
	node := t.levels[depth]
	block := make([]byte, blockSize)
	encodeExtents(block, node, depth, extentsInBlock)
	number, err := t.out.write(block)
	if err != nil {
		return err
	}
	up := extent{logical: node[0].logical, start: number}
	t.levels[depth] = node[:0]
	return t.push(depth+1, up)
}

// finish writes what is left and returns the root, which goes into the inode.
// The tree is empty again then.
func (t *extentTree) finish() (body string, err error) {
	depth := 0
	for ; depth < t.top || len(t.levels[depth]) > extentsInInode; depth++ {
		if err := t.spill(depth); err != nil {
			return "", err
		}
	}
	root := t.levels[depth]
	to := make([]byte, extentSize*(1+len(root)))
	encodeExtents(to, root, depth, extentsInInode)
	t.levels[depth], t.top = root[:0], 0
	return string(to), nil
}

// encodeExtents writes a node of the tree: extents at depth 0, else pointers to
// the nodes below.
func encodeExtents(to []byte, node []extent, depth, room int) {
	le := binary.LittleEndian
	le.PutUint16(to[0:], extentMagic)
	le.PutUint16(to[2:], uint16(len(node)))
	le.PutUint16(to[4:], uint16(room))
	le.PutUint16(to[6:], uint16(depth))
	for i, e := range node {
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
