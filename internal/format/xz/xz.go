// Package xz unpacks .xz streams as the Linux kernel's build writes them: with
// the filter for x86 code, and with no larger a dictionary than the stream asks
// for, as there are thousands of small modules to unpack.
//
// It checks what it unpacks, and takes its input for foreign bytes. What it
// leaves to Ulrich Kunitz's package, which does neither of the two, is LZMA2.
//
// The format is that of https://tukaani.org/xz/xz-file-format.txt.
package xz

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"slices"
)

// Magic is what every stream begins with.
const Magic = "\xfd7zXZ\x00"

// ErrDamaged says that a stream is not as its writer left it. One that is cut
// short gives io.ErrUnexpectedEOF.
var ErrDamaged = errors.New("damaged xz stream")

const (
	headerSize = 12 // bytes: magic, flags and their CRC32
	alignment  = 4  // bytes; blocks begin and their checks too
)

// The kinds of check that a block can end with.
const (
	checkNone  = 0
	checkCRC32 = 1
	checkCRC64 = 4
)

// Reader unpacks one stream. The index at the stream's end, and what may
// follow, is not read.
type Reader struct {
	in      *positionReader
	content io.Reader // of the block that is being read, nil at the end
	sum     hash.Hash // of the same, nil where it is not checked
}

// NewReader returns a reader of what the stream r holds.
func NewReader(r io.Reader) (*Reader, error) {
	x := &Reader{in: &positionReader{r: bufio.NewReader(r)}}
	var head [headerSize]byte
	if err := readFull(x.in, head[:]); err != nil {
		return nil, err
	}
	flags := head[len(Magic) : len(Magic)+2]
	if string(head[:len(Magic)]) != Magic || flags[0] != 0 || binary.LittleEndian.Uint32(head[8:]) != crc32.ChecksumIEEE(flags) {
		return nil, ErrDamaged
	}
	switch flags[1] {
	case checkNone:
	case checkCRC32:
		x.sum = crc32.NewIEEE()
	case checkCRC64:
		x.sum = crc64.New(crc64.MakeTable(crc64.ECMA))
	default:
		return nil, fmt.Errorf("xz stream with a check of the unknown kind %d", flags[1])
	}
	return x, x.nextBlock()
}

func (x *Reader) Read(p []byte) (int, error) {
	for x.content != nil {
		n, err := x.content.Read(p)
		if x.sum != nil {
			x.sum.Write(p[:n])
		}
		if errors.Is(err, io.EOF) {
			if err = x.endBlock(); err == nil {
				err = x.nextBlock()
			}
		}
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
	return 0, io.EOF
}

// endBlock reads the padding and the check behind a block's data.
func (x *Reader) endBlock() error {
	var padding [alignment]byte
	if err := readFull(x.in, padding[:(alignment-x.in.position%alignment)%alignment]); err != nil {
		return err
	}
	if x.sum == nil {
		return nil
	}
	want := x.sum.Sum(nil)
	slices.Reverse(want) // the format is little-endian
	got := make([]byte, len(want))
	if err := readFull(x.in, got); err != nil {
		return err
	}
	if !slices.Equal(got, want) {
		return ErrDamaged
	}
	x.sum.Reset()
	return nil
}

// nextBlock begins the next block, if there is one.
func (x *Reader) nextBlock() error {
	block, err := readBlockHeader(x.in)
	if err != nil {
		return err
	}
	x.content = nil
	if block != nil {
		x.content, err = block.open(x.in)
	}
	return err
}

// positionReader counts what is read from it, and reads nothing ahead of that.
type positionReader struct {
	r        *bufio.Reader
	position int64
}

func (p *positionReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.position += int64(n)
	return n, err
}

// readFull fills b; the end of the input is unexpected.
func readFull(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
