package ext4

import (
	"archive/tar"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
)

// Writer makes a file system. It is used by one goroutine.
type Writer struct {
	out     *output
	label   string
	seed    [sha256.Size]byte
	inodes  inodes
	names   names
	extents extentTree        // of the file that is being written
	freed   []run             // blocks that replaced files had
	copies  map[uint32]uint32 // of files with as many names as there can be, the newest
	buf     []byte

	hasLarge bool // extended attributes with inodes of their own

	err error // the first one; nothing is done after it
}

var errClosed = errors.New("the file system is closed")

// NewWriter returns a writer of a file system to f, which loses what it holds.
func NewWriter(f File, o Options) (*Writer, error) {
	if len(o.Label) > maxLabel {
		return nil, fmt.Errorf("label %q is longer than %d bytes", o.Label, maxLabel)
	}
	limit := int64(maxBlocks)
	if o.Limit > 0 {
		limit = min(limit, o.Limit/blockSize)
	}
	if err := f.Truncate(0); err != nil {
		return nil, err
	}
	out := newOutput(f, uint32(limit))
	w := &Writer{
		out:     out,
		label:   o.Label,
		names:   newNames(),
		copies:  map[uint32]uint32{},
		extents: extentTree{out: out},
		buf:     make([]byte, 256<<10),
	}
	w.SetSeed(nil)
	return w, w.addFirst()
}

// addFirst adds what every file system has: the reserved inodes, the root and
// lost+found.
func (w *Writer) addFirst() error {
	for w.inodes.count < firstInode-1 {
		w.inodes.add(inode{})
	}
	*w.inodes.at(rootInode) = newDirectory(rootInode, 0o755)
	_, err := w.add(rootInode, "lost+found", newDirectory(rootInode, 0o700))
	return err
}

// SetSeed gives what identifies the content, such as its digest, at any time
// before Close: the file system's UUID and the seed of its directories' hashes
// are made of it.
func (w *Writer) SetSeed(seed []byte) { w.seed = sha256.Sum256(seed) }

// Add adds an entry. Its name is relative and clean, "." is the root. Parents
// that are missing are made, root's with the mode 0755 and the time 0. An entry
// replaces an earlier one of its name; a directory keeps its content. A hard
// link's target has come before, and only its name counts. Extended attributes
// are the PAX records that begin with "SCHILY.xattr."; those of a namespace
// that Linux does not have are left out.
//
// The error is an *EntryError where the entry cannot be stored, and ErrTooLarge
// where there is no room. After an error the writer is of no use.
func (w *Writer) Add(h *tar.Header, content io.Reader) error {
	if w.err == nil {
		w.err = w.entry(h, content)
	}
	return w.err
}

func (w *Writer) entry(h *tar.Header, content io.Reader) error {
	name := path.Clean(h.Name)
	if name == "." {
		if h.Typeflag != tar.TypeDir {
			return &EntryError{h.Name, "makes the root something other than a directory"}
		}
		return w.describe(rootInode, h)
	}
	parent, err := w.parentOf(name)
	if err != nil {
		return err
	}
	base := path.Base(name)
	if h.Typeflag == tar.TypeLink {
		return w.link(parent, base, h)
	}
	old := w.names.get(parent, base)
	if old != 0 && h.Typeflag == tar.TypeDir && w.inodes.at(old).isDir() {
		return w.describe(old, h)
	}
	if err := w.giveWay(parent, base, h); err != nil {
		return err
	}
	return w.create(parent, base, h, content)
}

// describe gives a directory the attributes of h.
func (w *Writer) describe(number uint32, h *tar.Header) error {
	n := w.inodes.at(number)
	if err := n.setAttributes(h); err != nil {
		return err
	}
	return n.setXattrs(h)
}

// create adds what is no hard link.
func (w *Writer) create(parent uint32, base string, h *tar.Header, content io.Reader) error {
	var n inode
	var err error
	first, taken := w.out.space.next, w.out.taken
	switch h.Typeflag {
	case tar.TypeReg:
		n, err = w.file(h, content)
	case tar.TypeDir:
		n = newDirectory(parent, 0)
	case tar.TypeSymlink:
		n, err = w.symlink(h)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		n, err = newSpecial(h)
	default:
		err = &EntryError{h.Name, fmt.Sprintf("is of the unknown type %q", h.Typeflag)}
	}
	if err != nil {
		return err
	}
	if err := errors.Join(n.setAttributes(h), n.setXattrs(h)); err != nil {
		return err
	}
	if !n.isDir() { // a directory's may change until Close
		if err := w.writeXattrs(&n); err != nil {
			return err
		}
	}
	n.first, n.blocks = first, w.out.taken-taken
	_, err = w.add(parent, base, n)
	return err
}

// Close writes directories, inodes, bitmaps and superblocks, and cuts the file
// to its final size. Before that it holds no file system.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	w.err = errClosed
	if err := w.writeLarge(); err != nil {
		return err
	}
	if err := w.writeDirectories(); err != nil {
		return err
	}
	if err := w.out.flush(); err != nil {
		return err
	}
	l, err := w.layOut()
	if err != nil {
		return err
	}
	if err := w.writeInodes(l); err != nil {
		return err
	}
	if err := w.writeBlockBitmaps(l); err != nil {
		return err
	}
	if err := w.out.file.Truncate(int64(l.blocks) * blockSize); err != nil {
		return err
	}
	return w.writeSuperblocks(l)
}
