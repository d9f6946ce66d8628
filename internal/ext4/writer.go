package ext4

import (
	"archive/tar"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// Writer makes a file system. It is used by one goroutine.
type Writer struct {
	out    *allocator
	label  string
	seed   [sha256.Size]byte
	inodes []inode // the first is number 1
	buf    []byte
}

// NewWriter returns a writer of a file system to f, which is empty.
func NewWriter(f *os.File, o Options) (*Writer, error) {
	if len(o.Label) > 16 {
		return nil, fmt.Errorf("label %q is longer than 16 bytes", o.Label)
	}
	limit := int64(maxBlocks)
	if o.Limit > 0 {
		limit = min(limit, o.Limit/blockSize)
	}
	w := &Writer{
		out:    newAllocator(f, limit),
		label:  o.Label,
		inodes: make([]inode, firstInode-1, 1024),
		buf:    make([]byte, 256<<10),
	}
	w.inodes[rootInode-1] = newDirectory(rootInode, directoryDefaults)
	w.add(rootInode, "lost+found", newDirectory(rootInode, &tar.Header{Mode: 0o700}))
	return w, nil
}

// SetSeed gives what identifies the content, such as its digest: the file
// system's UUID and the seed of its directories' hashes are made of it.
func (w *Writer) SetSeed(seed []byte) { w.seed = sha256.Sum256(seed) }

// directoryDefaults are the attributes of a directory that no entry describes.
var directoryDefaults = &tar.Header{Typeflag: tar.TypeDir, Mode: 0o755}

// Add adds an entry. Its name is relative and clean, "." is the root. Parents
// that are missing are made. An entry replaces an earlier one of its name; a
// directory keeps its content. The error is an *EntryError where the entry
// cannot be stored, and ErrTooLarge where there is no room; the writer is of no
// use after one.
func (w *Writer) Add(h *tar.Header, content io.Reader) error {
	name := path.Clean(h.Name)
	if name == "." {
		return w.describe(rootInode, h)
	}
	parent, err := w.parentOf(name)
	if err != nil {
		return err
	}
	base := path.Base(name)
	if len(base) > maxName {
		return &EntryError{h.Name, fmt.Sprintf("has a name of more than %d bytes", maxName)}
	}
	if h.Typeflag == tar.TypeLink {
		return w.link(parent, base, h)
	}
	if done, err := w.giveWay(parent, base, h); done || err != nil {
		return err
	}
	return w.create(parent, base, h, content)
}

// parentOf returns the directory that name is in.
func (w *Writer) parentOf(name string) (uint32, error) {
	dir := uint32(rootInode)
	parts := strings.Split(name, "/")
	for i, part := range parts[:len(parts)-1] {
		if part == "" || part == ".." || len(part) > maxName {
			return 0, &EntryError{name, "has an unusable path"}
		}
		child, exists := w.inode(dir).entries[part]
		if !exists {
			child = w.add(dir, part, newDirectory(dir, directoryDefaults))
		} else if !w.inode(child).isDir() {
			return 0, &EntryError{name, fmt.Sprintf("lies below %q, which is no directory", strings.Join(parts[:i+1], "/"))}
		}
		dir = child
	}
	return dir, nil
}

// giveWay makes room for an entry that replaces another. A directory over a
// directory is done with that.
func (w *Writer) giveWay(parent uint32, base string, h *tar.Header) (done bool, err error) {
	old, exists := w.inode(parent).entries[base]
	if !exists {
		return false, nil
	}
	switch wasDir := w.inode(old).isDir(); {
	case wasDir && h.Typeflag == tar.TypeDir:
		return true, w.describe(old, h)
	case wasDir && len(w.inode(old).entries) > 0:
		return false, &EntryError{h.Name, "replaces a directory that is not empty"}
	}
	w.remove(parent, base)
	return false, nil
}

// describe gives a directory the attributes of h.
func (w *Writer) describe(number uint32, h *tar.Header) error {
	if h.Typeflag != tar.TypeDir {
		return &EntryError{h.Name, "makes the root something other than a directory"}
	}
	n := w.inode(number)
	n.setAttributes(h)
	return w.setXattrs(n, h)
}

// create adds what is no hard link.
func (w *Writer) create(parent uint32, base string, h *tar.Header, content io.Reader) error {
	var n inode
	var err error
	switch h.Typeflag {
	case tar.TypeReg:
		n, err = w.file(h, content)
	case tar.TypeDir:
		n = newDirectory(parent, h)
	case tar.TypeSymlink:
		n, err = w.symlink(h)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		n = newSpecial(h)
	default:
		err = &EntryError{h.Name, fmt.Sprintf("is of the unknown type %q", h.Typeflag)}
	}
	if err != nil {
		return err
	}
	n.setAttributes(h)
	if err := w.setXattrs(&n, h); err != nil {
		return err
	}
	w.add(parent, base, n)
	return nil
}

// link adds another name for a file that is there already.
func (w *Writer) link(parent uint32, base string, h *tar.Header) error {
	target, ok := w.lookup(path.Clean(h.Linkname))
	switch {
	case !ok:
		return &EntryError{h.Name, fmt.Sprintf("links to %q, which is not there", h.Linkname)}
	case w.inode(target).isDir():
		return &EntryError{h.Name, fmt.Sprintf("links to %q, which is a directory", h.Linkname)}
	case w.inode(target).links >= maxLinks:
		return &EntryError{h.Name, fmt.Sprintf("is one name too many: a file can have %d", maxLinks)}
	case w.inode(parent).entries[base] == target:
		return nil // a link to itself
	}
	if _, err := w.giveWay(parent, base, h); err != nil {
		return err
	}
	w.inode(target).links++
	w.inode(parent).entries[base] = target
	return nil
}

func (w *Writer) lookup(name string) (uint32, bool) {
	number := uint32(rootInode)
	for part := range strings.SplitSeq(name, "/") {
		child, ok := w.inode(number).entries[part]
		if !ok {
			return 0, false
		}
		number = child
	}
	return number, true
}

func (w *Writer) inode(number uint32) *inode { return &w.inodes[number-1] }

// add appends an inode and enters it into a directory.
func (w *Writer) add(parent uint32, base string, n inode) uint32 {
	w.inodes = append(w.inodes, n)
	number := uint32(len(w.inodes))
	dir := w.inode(parent)
	dir.entries[base] = number
	if n.isDir() {
		dir.links++
	}
	return number
}

// remove takes a name away, and what it named with it where that was its last.
func (w *Writer) remove(parent uint32, base string) {
	number := w.inode(parent).entries[base]
	delete(w.inode(parent).entries, base)
	n := w.inode(number)
	if n.isDir() {
		w.inode(parent).links--
		n.links = 1
	}
	if n.links--; n.links == 0 {
		w.out.free(n.owned)
		*n = inode{}
	}
}
