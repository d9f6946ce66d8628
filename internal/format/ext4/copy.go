package ext4

import (
	"archive/tar"
	"fmt"
	"io"
)

// linkCopy gives a name to a copy of a file that has as many names as an inode
// can have: as other file systems hold more, stores that link equal files do.
func (w *Writer) linkCopy(parent uint32, base string, target uint32) error {
	number := w.copies[target]
	if number != 0 && w.inodes.at(number).links > 0 && w.inodes.at(number).links < maxLinks {
		w.inodes.at(number).links++
		w.inodes.at(parent).children++
		return w.names.set(parent, base, number)
	}
	n, err := w.copyOf(w.inodes.at(target))
	if err != nil {
		return err
	}
	w.copies[target], err = w.add(parent, base, n)
	return err
}

// copyOf writes a file's content and attributes once more.
func (w *Writer) copyOf(old *inode) (inode, error) {
	n := *old
	n.links = 1
	first, taken := w.out.space.next, w.out.taken
	written, err := w.readBack()
	if err != nil {
		return n, err
	}
	if n.flags&flagExtents != 0 {
		raw := make([]byte, inodeSize)
		old.encode(raw)
		content, err := written.content(diskInode{raw: raw, mode: n.mode, size: n.size, flags: n.flags})
		if err != nil {
			return n, err
		}
		body, err := w.file(&tar.Header{Typeflag: tar.TypeReg, Size: n.size}, content)
		if err != nil {
			return n, err
		}
		n.body = body.body
	}
	if n.xattrs != nil && n.xattrs.number != 0 {
		block, err := written.block(uint64(n.xattrs.number))
		if err != nil {
			return n, err
		}
		n.xattrs = &xattrs{inline: n.xattrs.inline, head: block}
		if err := w.writeXattrs(&n); err != nil {
			return n, err
		}
	}
	n.first, n.blocks = first, w.out.taken-taken
	return n, nil
}

// readBack returns a reader of the blocks that were written.
func (w *Writer) readBack() (*Reader, error) {
	r, ok := w.out.file.(io.ReaderAt)
	if !ok {
		return nil, fmt.Errorf("a file with more than %d names: the output cannot be read", maxLinks)
	}
	if err := w.out.flush(); err != nil {
		return nil, err
	}
	return &Reader{r: r, super: superblock{Blocks: w.out.space.next, LogBlockSize: 2}, blockSize: blockSize}, nil
}
