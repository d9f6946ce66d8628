package xz

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

const footerMagic = "YZ"

// endStream reads a stream's index, of which the first byte is read, and its
// footer. The sizes in the index are those of blocks that were checked.
func (x *Reader) endStream() error {
	sum := crc32.NewIEEE()
	sum.Write([]byte{0})
	index := indexReader{io.TeeReader(x.in, sum)}
	count, err := binary.ReadUvarint(index)
	if err != nil {
		return unexpected(err)
	}
	if count != x.blocks {
		return ErrDamaged
	}
	for range count * 2 {
		if _, err := binary.ReadUvarint(index); err != nil {
			return unexpected(err)
		}
	}
	var padding [alignment]byte
	if err := readFull(index, padding[:(alignment-x.in.position%alignment)%alignment]); err != nil {
		return err
	}
	want := sum.Sum32()
	var end [4 + headerSize]byte // the index's CRC32 and the footer
	if err := readFull(x.in, end[:]); err != nil {
		return err
	}
	le, footer := binary.LittleEndian, end[4:]
	if le.Uint32(end[:]) != want || le.Uint32(footer) != crc32.ChecksumIEEE(footer[4:10]) ||
		[2]byte(footer[8:10]) != x.flags || string(footer[10:]) != footerMagic {
		return ErrDamaged
	}
	return nil
}

// skipPadding reads the zeros behind a stream, and reports whether another one
// follows.
func (x *Reader) skipPadding() (more bool, err error) {
	for n := 0; ; n++ {
		next, err := x.in.r.Peek(1)
		switch {
		case errors.Is(err, io.EOF) && n%alignment == 0:
			return false, nil
		case errors.Is(err, io.EOF), err == nil && next[0] != 0 && n%alignment != 0:
			return false, ErrDamaged
		case err != nil:
			return false, err
		case next[0] != 0:
			return true, nil
		}
		x.in.r.Discard(1)
		x.in.position++
	}
}

// indexReader reads single bytes.
type indexReader struct{ io.Reader }

func (r indexReader) ReadByte() (byte, error) {
	var b [1]byte
	err := readFull(r, b[:])
	return b[0], err
}

// unexpected makes an error of the format of what is no number.
func unexpected(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return ErrDamaged
}
