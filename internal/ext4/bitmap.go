package ext4

import "math/bits"

// bitmap is a block of bits, the lowest of each byte first.
type bitmap []byte

// newBitmap returns a bitmap whose bits from size on are set, as the format
// wants it.
func newBitmap(size int) bitmap {
	b := make(bitmap, blockSize)
	for i := size; i < 8*blockSize; i++ {
		b.set(i)
	}
	return b
}

func (b bitmap) set(i int) { b[i/8] |= 1 << (i % 8) }

// blockMap tells of every block of the file system whether it is taken.
type blockMap struct {
	bits []byte
}

func newBlockMap(l *layout) blockMap {
	return blockMap{make([]byte, int(l.groups)*blockSize)}
}

func (m blockMap) set(r run) {
	for i := r.start; i < r.start+r.count; i++ {
		m.bits[i/8] |= 1 << (i % 8)
	}
}

// count returns how many of a group's blocks are taken.
func (m blockMap) count(group uint32) uint32 {
	var n uint32
	for _, b := range m.bits[group*blockSize : (group+1)*blockSize] {
		n += uint32(bits.OnesCount8(b))
	}
	return n
}

// bitmap returns a group's part, with the bits beyond its end set.
func (m blockMap) bitmap(group, size uint32) bitmap {
	b := newBitmap(int(size))
	for i, v := range m.bits[group*blockSize : (group+1)*blockSize] {
		b[i] |= v
	}
	return b
}
