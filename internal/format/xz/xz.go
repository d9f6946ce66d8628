// Package xz unpacks .xz: single streams as the Linux kernel's build writes
// them, with no larger a dictionary than the stream asks for, as there are
// thousands of small modules to unpack, and whole files as the xz program does,
// of any filter.
//
// It checks what it unpacks, and takes its input for foreign bytes. What it
// leaves to Ulrich Kunitz's package, which does neither of the two, is LZMA2.
//
// The format is that of https://tukaani.org/xz/xz-file-format.txt.
package xz

import (
	"bufio"
	"crypto/sha256"
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
	checkNone   = 0
	checkCRC32  = 1
	checkCRC64  = 4
	checkSHA256 = 10
)

// Reader unpacks one stream, or a file of them.
type Reader struct {
	in      *positionReader
	file    bool      // goes on behind the stream's end
	blocks  uint64    // of the stream, so far
	flags   [2]byte   // of the stream
	content io.Reader // of the block that is being read, nil at the end
	sum     hash.Hash // of the same, nil where it is not checked
}

// NewReader returns a reader of what the stream r holds. The index at the
// stream's end, and what may follow, is not read.
func NewReader(r io.Reader) (*Reader, error) {
	x := &Reader{in: &positionReader{r: bufio.NewReader(r)}}
	if err := x.begin(); err != nil {
		return nil, err
	}
	return x, x.nextBlock()
}

// NewFileReader returns a reader of what an .xz file holds, to its end: one
// stream after another, with padding behind each.
func NewFileReader(r io.Reader) (*Reader, error) {
	x := &Reader{in: &positionReader{r: bufio.NewReader(r)}, file: true}
	if err := x.begin(); err != nil {
		return nil, err
	}
	return x, x.nextBlock()
}

// begin reads a stream's header.
func (x *Reader) begin() error {
	var head [headerSize]byte
	if err := readFull(x.in, head[:]); err != nil {
		return err
	}
	flags := head[len(Magic) : len(Magic)+2]
	if string(head[:len(Magic)]) != Magic || flags[0] != 0 || binary.LittleEndian.Uint32(head[8:]) != crc32.ChecksumIEEE(flags) {
		return ErrDamaged
	}
	x.sum, x.blocks, x.flags = nil, 0, [2]byte(flags)
	switch flags[1] {
	case checkNone:
	case checkCRC32:
		x.sum = crc32.NewIEEE()
	case checkCRC64:
		x.sum = crc64.New(crc64.MakeTable(crc64.ECMA))
	case checkSHA256:
		x.sum = sha256.New()
	default:
		return fmt.Errorf("xz stream with a check of the unknown kind %d", flags[1])
	}
	return nil
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
	if x.flags[1] != checkSHA256 {
		slices.Reverse(want) // the format is little-endian
	}
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
	x.content = nil
	for {
		block, err := readBlockHeader(x.in)
		if err != nil {
			return err
		}
		if block != nil {
			x.blocks++
			x.content, err = block.open(x.in)
			return err
		}
		if !x.file {
			return nil
		}
		if err := x.endStream(); err != nil {
			return err
		}
		if more, err := x.skipPadding(); !more || err != nil {
			return err
		}
		if err := x.begin(); err != nil {
			return err
		}
	}
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
