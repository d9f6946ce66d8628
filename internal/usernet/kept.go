package usernet

import "sync/atomic"

// What the stack keeps of the guest's frames, in bytes: segments that come out of
// order, fragments, all that nobody has read yet. Each endpoint has its own limits,
// and there are thousands; so like a card whose ring is full, the link drops what
// is beyond these. Short frames have room of their own: with acknowledgements
// alone, much goes on.
const (
	maxKept      = 16 << 20
	maxKeptShort = 20 << 20
	shortFrame   = 1 << 10
	frameCost    = 512 // of any frame, however short
)

// kept counts the bytes that the stack keeps.
type kept struct{ bytes atomic.Int64 }

// take reports whether there is room for a frame of that size; gone gives it back.
func (k *kept) take(size int) (gone func(), ok bool) {
	limit := int64(maxKept)
	if size <= shortFrame {
		limit = maxKeptShort
	}
	cost := int64(size + frameCost)
	if k.bytes.Add(cost) > limit {
		k.bytes.Add(-cost)
		return nil, false
	}
	return func() { k.bytes.Add(-cost) }, true
}
