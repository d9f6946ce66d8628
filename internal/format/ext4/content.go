package ext4

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"banger/internal/format/tarfile"
)

var zeroBlock [blockSize]byte

// file stores a regular file. Blocks of zeros become holes; what is known for
// one is not even read.
func (w *Writer) file(h *tar.Header, content io.Reader) (inode, error) {
	n := inode{mode: modeFile, links: 1, size: h.Size, flags: flagExtents}
	switch {
	case h.Size < 0:
		return n, &EntryError{h.Name, fmt.Sprintf("has the impossible size %d", h.Size)}
	case h.Size > maxFileBlocks*blockSize:
		return n, fmt.Errorf("entry %q is %w", h.Name, ErrTooLarge)
	}
	for done := tarfile.SkipHole(content, blockSize); done < h.Size; done += tarfile.SkipHole(content, blockSize) {
		data := w.buf[:min(h.Size-done, int64(len(w.buf)))]
		if _, err := io.ReadFull(content, data); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return n, fmt.Errorf("entry %q: %w", h.Name, err)
		}
		if err := w.store(uint32(done/blockSize), data); err != nil {
			return n, err
		}
		done += int64(len(data))
	}
	var err error
	n.body, err = w.extents.finish()
	return n, err
}

// store writes content, whose capacity is whole blocks, at a file's block
// logical and those after it.
func (w *Writer) store(logical uint32, content []byte) error {
	size := (len(content) + blockSize - 1) / blockSize * blockSize
	clear(content[len(content):size])
	for content = content[:size]; len(content) > 0; content = content[blockSize:] {
		if block := content[:blockSize]; !bytes.Equal(block, zeroBlock[:]) {
			number, err := w.out.write(block)
			if err != nil {
				return err
			}
			if err := w.extents.add(logical, number); err != nil {
				return err
			}
		}
		logical++
	}
	return nil
}

func (w *Writer) symlink(h *tar.Header) (inode, error) {
	n := inode{mode: modeSymlink, links: 1, size: int64(len(h.Linkname))}
	switch {
	case h.Linkname == "", strings.Contains(h.Linkname, "\x00"):
		return n, &EntryError{h.Name, fmt.Sprintf("is a symlink to the impossible %q", h.Linkname)}
	case len(h.Linkname) > maxSymlink:
		return n, &EntryError{h.Name, fmt.Sprintf("is a symlink with a target of more than %d bytes", maxSymlink)}
	case len(h.Linkname) <= fastSymlink:
		n.body = h.Linkname
		return n, nil
	}
	n.flags = flagExtents
	if err := w.store(0, w.buf[:copy(w.buf, h.Linkname)]); err != nil {
		return n, err
	}
	var err error
	n.body, err = w.extents.finish()
	return n, err
}

// The numbers that a device can have.
const (
	maxMajor = 1<<12 - 1
	maxMinor = 1<<20 - 1
)

// newSpecial makes a device or a fifo. Numbers that fit the old encoding use
// it, as Linux does.
func newSpecial(h *tar.Header) (inode, error) {
	if h.Typeflag == tar.TypeFifo {
		return inode{mode: modeFifo, links: 1}, nil
	}
	n := inode{mode: modeChar, links: 1}
	if h.Typeflag == tar.TypeBlock {
		n.mode = modeBlock
	}
	if h.Devmajor < 0 || h.Devmajor > maxMajor || h.Devminor < 0 || h.Devminor > maxMinor {
		return n, &EntryError{h.Name, fmt.Sprintf("is the impossible device %d:%d", h.Devmajor, h.Devminor)}
	}
	major, minor := uint32(h.Devmajor), uint32(h.Devminor)
	var body [8]byte
	if major < 256 && minor < 256 {
		binary.LittleEndian.PutUint32(body[0:], major<<8|minor)
	} else {
		binary.LittleEndian.PutUint32(body[4:], minor&0xff|major<<8|(minor&^0xff)<<12)
	}
	n.body = string(body[:])
	return n, nil
}
