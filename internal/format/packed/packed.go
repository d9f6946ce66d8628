// Package packed is a stream of bytes in blocks, each compressed by zstd where
// that is worth its time and else as it is.
//
// A block is a byte that says what it is, four with its length, the high one first,
// and as many more. One of no bytes ends the stream, so that a stream that was cut
// off is never taken for a whole one. No block has more than 256 KiB, packed or
// not: that is all that a reader keeps, whatever a writer says.
package packed

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// The kinds of blocks.
const (
	kindEnd = iota
	kindPlain
	kindZstd
)

const (
	headSize = 5
	maxBlock = 256 << 10
)

// Reader reads what a Writer wrote.
type Reader struct {
	src     io.Reader
	decoder *zstd.Decoder
	block   []byte // as it came
	plain   []byte // as it was
	rest    []byte
	err     error
}

// NewReader returns a reader of the stream in r. It reads nothing behind the end.
// Its end is io.EOF, and of a stream that was cut off ErrCutOff.
func NewReader(r io.Reader) *Reader { return &Reader{src: r} }

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 && r.err == nil {
		r.rest, r.err = r.next()
	}
	if len(r.rest) == 0 {
		return 0, r.err
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// ErrCutOff says that a stream has no end. It is no io.ErrUnexpectedEOF, which readers
// of what is in a stream take for an end.
var ErrCutOff = errors.New("the stream was cut off")

var errDamaged = errors.New("the packed stream is damaged")

// next returns the next block's bytes.
func (r *Reader) next() ([]byte, error) {
	var head [headSize]byte
	if _, err := io.ReadFull(r.src, head[:]); err != nil {
		return nil, cutOff(err)
	}
	size := binary.BigEndian.Uint32(head[1:])
	switch kind := head[0]; {
	case kind == kindEnd && size == 0:
		return nil, io.EOF
	case size == 0 || size > maxBlock || kind != kindPlain && kind != kindZstd:
		return nil, errDamaged
	}
	if cap(r.block) < int(size) {
		r.block = make([]byte, maxBlock)
	}
	block := r.block[:size]
	if _, err := io.ReadFull(r.src, block); err != nil {
		return nil, cutOff(err)
	}
	if head[0] == kindPlain {
		return block, nil
	}
	return r.unpack(block)
}

func (r *Reader) unpack(block []byte) ([]byte, error) {
	if r.decoder == nil {
		decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBlock))
		if err != nil {
			return nil, err
		}
		r.decoder, r.plain = decoder, make([]byte, 0, maxBlock)
	}
	plain, err := r.decoder.DecodeAll(block, r.plain[:0])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if len(plain) > maxBlock {
		return nil, errDamaged
	}
	return plain, nil
}

func cutOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrCutOff
	}
	return err
}
