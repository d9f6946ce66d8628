package xz

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/ulikunitz/xz/lzma"
)

// The flags of a block's header.
const (
	countMask   = 0x03 // how many filters, less one
	hasPacked   = 0x40 // the compressed size is there
	hasUnpacked = 0x80 // the uncompressed size is there
)

// The filters.
const (
	filterDelta = 0x03
	filterX86   = 0x04
	filterPPC   = 0x05
	filterIA64  = 0x06
	filterARM   = 0x07
	filterThumb = 0x08
	filterSPARC = 0x09
	filterARM64 = 0x0a
	filterRISCV = 0x0b
	filterLZMA2 = 0x21
)

const (
	minDictionary = 4096
	maxDictionary = 30 // as LZMA2's property has it: 128 MiB, what the kernel's build uses
)

// block is what a block's header says of its filters.
type block struct {
	filters    []func(io.Reader) io.Reader // in the order that the writer had them
	dictionary int                         // bytes
}

// readBlockHeader returns nil where the index begins instead of a block.
func readBlockHeader(in io.Reader) (*block, error) {
	var size [1]byte
	if err := readFull(in, size[:]); err != nil || size[0] == 0 {
		return nil, err
	}
	head := make([]byte, (int(size[0])+1)*alignment)
	head[0] = size[0]
	if err := readFull(in, head[1:]); err != nil {
		return nil, err
	}
	end := len(head) - crc32.Size
	if binary.LittleEndian.Uint32(head[end:]) != crc32.ChecksumIEEE(head[:end]) {
		return nil, ErrDamaged
	}
	return parseBlock(&fields{rest: head[1:end]})
}

func parseBlock(f *fields) (*block, error) {
	flags := f.bytes(1)[0]
	if flags&hasPacked != 0 {
		f.number()
	}
	if flags&hasUnpacked != 0 {
		f.number()
	}
	var b block
	for range flags&countMask + 1 {
		filter := f.number()
		properties := f.bytes(f.number())
		undo := branchFilters[filter]
		switch {
		case f.bad:
			return nil, ErrDamaged
		case filter == filterX86 && isStart(properties):
			b.filters = append(b.filters, func(r io.Reader) io.Reader { return newX86Reader(r, startOf(properties)) })
		case filter == filterDelta && len(properties) == 1:
			b.filters = append(b.filters, func(r io.Reader) io.Reader { return newDeltaReader(r, properties[0]) })
		case undo != nil && isStart(properties):
			b.filters = append(b.filters, func(r io.Reader) io.Reader { return newBranchReader(r, undo, startOf(properties)) })
		case filter == filterLZMA2 && len(properties) == 1 && properties[0] <= maxDictionary:
			b.dictionary = (2 | int(properties[0]&1)) << (properties[0]/2 + 11)
			return &b, nil
		default:
			return nil, fmt.Errorf("xz stream with the unknown filter %#x (properties %x)", filter, properties)
		}
	}
	return nil, ErrDamaged
}

// isStart reports whether properties say where the first byte is taken to be, or
// nothing.
func isStart(properties []byte) bool { return len(properties) == 0 || len(properties) == 4 }

func startOf(properties []byte) uint32 {
	if len(properties) == 0 {
		return 0
	}
	return binary.LittleEndian.Uint32(properties)
}

func (b *block) open(in io.Reader) (io.Reader, error) {
	l, err := lzma.Reader2Config{DictCap: max(b.dictionary, minDictionary)}.NewReader2(in)
	if err != nil {
		return nil, err
	}
	var r io.Reader = l
	for _, undo := range slices.Backward(b.filters) {
		r = undo(r)
	}
	return r, nil
}

// fields takes fields off the front of a header; bad says that there was one
// too few.
type fields struct {
	rest []byte
	bad  bool
}

// number takes a number of variable length.
func (f *fields) number() uint64 {
	v, n := binary.Uvarint(f.rest)
	if n <= 0 {
		f.bad = true
		return 0
	}
	f.rest = f.rest[n:]
	return v
}

func (f *fields) bytes(n uint64) []byte {
	if n > uint64(len(f.rest)) {
		f.bad = true
		return nil
	}
	taken := f.rest[:n]
	f.rest = f.rest[n:]
	return taken
}
