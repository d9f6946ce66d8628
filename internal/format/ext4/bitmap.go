package ext4

import "math/bits"

// bitmap is a number of bits, the lowest of each byte first.
type bitmap []byte

// newBitmap returns a block whose bits from size on are set, as the format
// wants it.
func newBitmap(size uint32) bitmap {
	b := make(bitmap, blockSize)
	b.set(run{size, 8*blockSize - size})
	return b
}

func (b bitmap) set(r run) {
	for i := r.start; i < r.start+r.count; i++ {
		b[i/8] |= 1 << (i % 8)
	}
}

func (b bitmap) clear(r run) {
	for i := r.start; i < r.start+r.count; i++ {
		b[i/8] &^= 1 << (i % 8)
	}
}

// count returns how many bits are set.
func (b bitmap) count() uint32 {
	n := 0
	for _, v := range b {
		n += bits.OnesCount8(v)
	}
	return uint32(n)
}
