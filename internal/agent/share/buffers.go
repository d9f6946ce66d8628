package share

import "sync"

// buffers holds what messages have been in: most are small, and a few are as large
// as one may be.
var buffers = pools{
	small: sync.Pool{New: func() any { return new([smallReply]byte) }},
	large: sync.Pool{New: func() any { return new([maxMessage]byte) }},
}

type pools struct{ small, large sync.Pool }

// get returns a buffer of n bytes, maxMessage at the most, with anything in it.
func (p *pools) get(n int) []byte {
	if n <= smallReply {
		return p.small.Get().(*[smallReply]byte)[:n]
	}
	return p.large.Get().(*[maxMessage]byte)[:n]
}

// put takes a buffer back that get returned, or the beginning of it.
func (p *pools) put(b []byte) {
	switch cap(b) {
	case smallReply:
		p.small.Put((*[smallReply]byte)(b[:smallReply]))
	case maxMessage:
		p.large.Put((*[maxMessage]byte)(b[:maxMessage]))
	}
}
