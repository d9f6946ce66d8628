package ext4

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
)

var zeroBlock [blockSize]byte

// file stores a regular file. Blocks of zeros become holes.
func (w *Writer) file(h *tar.Header, content io.Reader) (inode, error) {
	n := inode{mode: modeFile, links: 1, size: h.Size}
	if h.Size > maxFileBlocks*blockSize {
		return n, fmt.Errorf("entry %q: %w", h.Name, ErrTooLarge)
	}
	var e extents
	left, logical := h.Size, int64(0)
	for left > 0 {
		want := min(left, int64(len(w.buf)))
		if _, err := io.ReadFull(content, w.buf[:want]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return n, err
		}
		clear(w.buf[want:roundUp(want)])
		for at := int64(0); at < want; at += blockSize {
			block := w.buf[at : at+blockSize]
			if !bytes.Equal(block, zeroBlock[:]) {
				if err := w.store(&n, &e, logical, block); err != nil {
					return n, err
				}
			}
			logical++
		}
		left -= want
	}
	return n, w.setExtents(&n, e)
}

func roundUp(n int64) int64 { return (n + blockSize - 1) / blockSize * blockSize }

// store writes one block of a file's content.
func (w *Writer) store(n *inode, e *extents, logical int64, block []byte) error {
	number, err := w.out.write(block)
	if err != nil {
		return err
	}
	n.owned = appendRun(n.owned, number)
	e.append(uint32(logical), number)
	return nil
}

func (w *Writer) symlink(h *tar.Header) (inode, error) {
	n := inode{mode: modeSymlink, links: 1, size: int64(len(h.Linkname))}
	switch {
	case h.Linkname == "":
		return n, &EntryError{h.Name, "is a symlink to nothing"}
	case len(h.Linkname) > maxSymlink:
		return n, &EntryError{h.Name, fmt.Sprintf("is a symlink with a target of more than %d bytes", maxSymlink)}
	case len(h.Linkname) <= fastSymlink:
		copy(n.body[:], h.Linkname)
		return n, nil
	}
	block := make([]byte, blockSize)
	copy(block, h.Linkname)
	var e extents
	if err := w.store(&n, &e, 0, block); err != nil {
		return n, err
	}
	return n, w.setExtents(&n, e)
}
