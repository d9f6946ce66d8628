package ext4

import (
	"archive/tar"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// Reader reads the files of an ext2, ext3 or ext4 file system, which need not
// be one that Writer made. It follows a journal that is empty; the file system
// was unmounted cleanly. Damage and malice make errors and no loops.
type Reader struct {
	r         io.ReaderAt
	super     superblock
	blockSize int64
	tables    []int64           // where the groups' inode tables are, in bytes
	links     map[uint32]string // the first name of an inode that has several
	seen      map[uint32]bool   // directories
}

// readable are the incompatible features that change nothing for a reader, or
// that this one knows.
const readable = incompatFiletype | incompatExtents | incompat64Bit | incompatFlexBG | incompatMetaBG |
	incompatMMP | incompatEAInode | incompatCsumSeed | incompatLargeDir | incompatCasefold

// unreadable are the names of some that it does not know.
var unreadable = map[uint32]string{0x1: "compression", 0x1000: "dirdata", 0x8000: "inline_data", 0x10000: "encrypt"}

// ErrUnreadable says that a file system has a feature that Reader lacks, or
// is damaged.
var ErrUnreadable = errors.New("cannot be read")

// NewReader returns a reader of the file system in r. The error is ErrNotExt4
// where there is none and ErrUnreadable where it is of a kind that Reader does
// not know.
func NewReader(r io.ReaderAt) (*Reader, error) {
	raw := make([]byte, superblockSize)
	if _, err := r.ReadAt(raw, superblockAt); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	fs := &Reader{r: r, links: map[uint32]string{}, seen: map[uint32]bool{}}
	if _, err := binary.Decode(raw, binary.LittleEndian, &fs.super); err != nil || !fs.super.plausible() {
		return nil, ErrNotExt4
	}
	if err := fs.super.checkFeatures(); err != nil {
		return nil, err
	}
	fs.blockSize = 1 << fs.super.blockBits()
	return fs, fs.readDescriptors()
}

// checkFeatures refuses what Reader does not know.
func (s *superblock) checkFeatures() error {
	unknown := s.Incompat &^ readable
	if s.Incompat&incompatMetaBG != 0 && s.Compat&compatSparse2 != 0 {
		unknown |= incompatMetaBG // where its descriptors are, other fields say
	}
	if unknown == 0 {
		return nil
	}
	what := fmt.Sprintf("the features %#x", unknown)
	if name := unreadable[unknown]; name != "" {
		what = "the feature " + name
	}
	return fmt.Errorf("%w: it has %s", ErrUnreadable, what)
}

// descriptorAt is where a group's descriptor is, in bytes: behind the first
// superblock or, of the later groups of a file system that has grown so, in the
// first of the groups that a block of descriptors is about.
func (fs *Reader) descriptorAt(group, size int64) int64 {
	s := &fs.super
	perBlock := fs.blockSize / size
	block, within := group/perBlock, group%perBlock*size
	first := superblockAt/fs.blockSize + 1
	if s.Incompat&incompatMetaBG == 0 || block < int64(s.FirstMetaGroup) {
		return (first+block)*fs.blockSize + within
	}
	home := block * perBlock
	at := int64(s.FirstDataBlock) + home*int64(s.BlocksPerGroup)
	switch {
	case home == 0:
		at = first
	case s.ROCompat&roCompatSparseSuper == 0 || hasSuper(uint32(home)):
		at++
	}
	return at*fs.blockSize + within
}

// readDescriptors finds the inode tables.
func (fs *Reader) readDescriptors() error {
	s := &fs.super
	size := int64(descSize)
	if s.Incompat&incompat64Bit != 0 {
		size = max(int64(s.DescSize), descSize)
	}
	groups := (s.blocks()-uint64(s.FirstDataBlock)-1)/uint64(s.BlocksPerGroup) + 1
	if groups*uint64(s.InodesPerGroup) != uint64(s.Inodes) {
		return fmt.Errorf("%w: its groups and inodes do not agree", ErrUnreadable)
	}
	for i := range int64(groups) {
		d := make([]byte, size)
		if err := fs.readAt(d, fs.descriptorAt(i, size)); err != nil {
			return err
		}
		table := uint64(binary.LittleEndian.Uint32(d[8:]))
		if size >= 64 {
			table |= uint64(binary.LittleEndian.Uint32(d[40:])) << 32
		}
		if table >= s.blocks() {
			return fmt.Errorf("%w: an inode table lies outside", ErrUnreadable)
		}
		fs.tables = append(fs.tables, int64(table)*fs.blockSize)
	}
	return nil
}

// Walk calls yield for each file, in the order of names, directories before
// what is in them, as a rootfs.Stream has it: "." is the root, a second name
// of a file is a hard link to its first. An empty lost+found is left out.
// It returns yield's first error, or what is wrong with the file system.
func (fs *Reader) Walk(yield func(h *tar.Header, content io.Reader) error) error {
	return fs.walk(".", rootInode, yield)
}

func (fs *Reader) walk(name string, number uint32, yield func(*tar.Header, io.Reader) error) error {
	n, err := fs.inode(number)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	h, content, err := fs.entry(name, number, n)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if h == nil {
		return nil // a socket
	}
	if h.Typeflag != tar.TypeDir {
		return yield(h, content)
	}
	if fs.seen[number] {
		return fmt.Errorf("%s: %w: the directory is in two places", name, ErrUnreadable)
	}
	fs.seen[number] = true
	children, err := fs.dir(n)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if name == "lost+found" && len(children) == 0 {
		return nil
	}
	if err := yield(h, content); err != nil {
		return err
	}
	for _, c := range children {
		if err := fs.walk(path.Join(name, c.name), c.inode, yield); err != nil {
			return err
		}
	}
	return nil
}

// child is a name in a directory.
type child struct {
	name  string
	inode uint32
}

// dir lists a directory, sorted. A hash tree hides in entries that are not in
// use.
func (fs *Reader) dir(n diskInode) ([]child, error) {
	content, err := fs.content(n)
	if err != nil {
		return nil, err
	}
	var all []child
	block := make([]byte, fs.blockSize)
	for range n.size / fs.blockSize {
		if _, err := io.ReadFull(content, block); err != nil {
			return nil, err
		}
		if all, err = appendChildren(all, block); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b child) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

// appendChildren reads one block of a directory.
func appendChildren(all []child, block []byte) ([]child, error) {
	le := binary.LittleEndian
	for len(block) > 0 {
		if len(block) < 8 {
			return nil, errDirectory
		}
		inode, size, length := le.Uint32(block), int(le.Uint16(block[4:])), int(block[6])
		if size == 0 && len(block) == 1<<16 {
			size = len(block)
		}
		if size < 8 || size > len(block) || 8+length > size {
			return nil, errDirectory
		}
		if name := string(block[8 : 8+length]); inode != 0 && name != "." && name != ".." {
			if name == "" || strings.ContainsAny(name, "/\x00") {
				return nil, errDirectory
			}
			all = append(all, child{name, inode})
		}
		block = block[size:]
	}
	return all, nil
}

var errDirectory = fmt.Errorf("%w: the directory is damaged", ErrUnreadable)

func (fs *Reader) readAt(p []byte, at int64) error {
	n, err := fs.r.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: it is truncated", ErrUnreadable)
	}
	return err
}
