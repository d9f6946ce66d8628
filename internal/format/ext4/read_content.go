package ext4

import (
	"encoding/binary"
	"fmt"
	"io"

	"banger/internal/format/tarfile"
)

// span is a run of a file's blocks; a file has holes where no span is.
type span struct{ logical, start, count uint64 }

// content returns what is in a file.
func (fs *Reader) content(n diskInode) (*tarfile.File, error) {
	m := &blockMap{fs: fs, end: uint64(n.size+fs.blockSize-1) / uint64(fs.blockSize)}
	var err error
	if n.flags&flagExtents != 0 {
		err = m.extents(n.body(), -1)
	} else {
		err = m.pointers(n.body())
	}
	if err != nil {
		return nil, err
	}
	data := make([]tarfile.Range, 0, len(m.spans))
	for _, s := range m.spans {
		offset := int64(s.logical) * fs.blockSize
		data = append(data, tarfile.Range{Offset: offset, Length: min(int64(s.count)*fs.blockSize, n.size-offset)})
	}
	return tarfile.NewFile(n.size, data, &spanReader{fs: fs, spans: m.spans})
}

// blockMap collects a file's spans, in order.
type blockMap struct {
	fs    *Reader
	end   uint64 // the file's length in blocks
	next  uint64 // the first logical block behind the spans
	taken uint64 // blocks in use: content and maps, at most all that there are
	spans []span
}

// add appends a span. Those of a sound file never go back.
func (m *blockMap) add(s span) error {
	if s.logical < m.next || s.start+s.count > m.fs.super.blocks() || !m.take(s.count) {
		return errBlockMap
	}
	if m.next = s.logical + s.count; s.logical >= m.end {
		return nil // preallocated behind the file's end
	}
	if last := len(m.spans) - 1; last >= 0 {
		if p := &m.spans[last]; p.logical+p.count == s.logical && p.start+p.count == s.start {
			p.count += s.count
			return nil
		}
	}
	m.spans = append(m.spans, s)
	return nil
}

var errBlockMap = fmt.Errorf("%w: a block map is damaged", ErrUnreadable)

// take bounds what a damaged map can cost.
func (m *blockMap) take(blocks uint64) bool {
	m.taken += blocks
	return m.taken <= m.fs.super.blocks()
}

// node reads a block of the map itself.
func (m *blockMap) node(block uint64) ([]byte, error) {
	if !m.take(1) {
		return nil, errBlockMap
	}
	return m.fs.block(block)
}

// extents reads a node of an extent tree that has to be of a depth, or of any
// where that is -1.
func (m *blockMap) extents(node []byte, depth int) error {
	le := binary.LittleEndian
	count, own := int(le.Uint16(node[2:])), int(le.Uint16(node[6:]))
	if le.Uint16(node) != extentMagic || (count+1)*extentSize > len(node) || own > maxTreeDepth || depth >= 0 && own != depth {
		return errBlockMap
	}
	for i := range count {
		e := node[(i+1)*extentSize:]
		logical := uint64(le.Uint32(e))
		if own == 0 {
			err := m.leaf(logical, uint64(le.Uint16(e[4:])), uint64(le.Uint32(e[8:]))|uint64(le.Uint16(e[6:]))<<32)
			if err != nil {
				return err
			}
			continue
		}
		below, err := m.node(uint64(le.Uint32(e[4:])) | uint64(le.Uint16(e[8:]))<<32)
		if err != nil {
			return err
		}
		if err := m.extents(below, own-1); err != nil {
			return err
		}
	}
	return nil
}

// maxTreeDepth is what Linux allows of an extent tree.
const maxTreeDepth = 5

// leaf adds an extent. A length above maxExtent says that its blocks were never
// written.
func (m *blockMap) leaf(logical, count, start uint64) error {
	if count > maxExtent {
		return nil
	}
	return m.add(span{logical, start, count})
}

// pointers reads the block map of ext2: twelve blocks, and a block of pointers
// of each level.
func (m *blockMap) pointers(body []byte) error {
	const direct = 12
	next := uint64(0)
	for i := range bodySize / 4 {
		level := max(0, i-direct+1)
		if err := m.pointer(binary.LittleEndian.Uint32(body[4*i:]), level, &next); err != nil {
			return err
		}
	}
	return nil
}

// pointer follows a pointer of a level, 0 being content. logical is the file's
// block that it begins with, and then the one behind it.
func (m *blockMap) pointer(block uint32, level int, logical *uint64) error {
	perBlock := uint64(m.fs.blockSize / 4)
	covers := uint64(1)
	for range level {
		covers *= perBlock
	}
	if block == 0 || *logical >= m.end {
		*logical += covers
		return nil
	}
	if level == 0 {
		*logical++
		return m.add(span{*logical - 1, uint64(block), 1})
	}
	node, err := m.node(uint64(block))
	for i := 0; err == nil && i < len(node); i += 4 {
		err = m.pointer(binary.LittleEndian.Uint32(node[i:]), level-1, logical)
	}
	return err
}

func (fs *Reader) block(number uint64) ([]byte, error) {
	if number >= fs.super.blocks() {
		return nil, fmt.Errorf("%w: there is no block %d", ErrUnreadable, number)
	}
	data := make([]byte, fs.blockSize)
	return data, fs.readAt(data, int64(number)*fs.blockSize)
}

// spanReader reads what is in spans, one behind the other.
type spanReader struct {
	fs    *Reader
	spans []span
	at    int64 // in the first span
}

func (r *spanReader) Read(p []byte) (int, error) {
	if len(r.spans) == 0 {
		return 0, io.EOF
	}
	s, size := r.spans[0], r.fs.blockSize
	p = p[:min(int64(len(p)), int64(s.count)*size-r.at)]
	if err := r.fs.readAt(p, int64(s.start)*size+r.at); err != nil {
		return 0, err
	}
	if r.at += int64(len(p)); r.at == int64(s.count)*size {
		r.spans, r.at = r.spans[1:], 0
	}
	return len(p), nil
}
