package ext4

import (
	"archive/tar"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	xattrMagic     = 0xea020000
	xattrEntrySize = 16 // before the name
	xattrIDSize    = 4  // the magic number, in an inode
	xattrHeadSize  = 32 // in a block
	xattrInInode   = inodeSize - 128 - extraSize
	paxXattrPrefix = "SCHILY.xattr."
)

// xattr is an extended attribute as it is stored.
type xattr struct {
	index byte // stands for the name's prefix
	name  string
	value []byte

	large bool   // it has an inode of its own
	inode uint32 // that one's number, and
	sum   uint32 // the value's hash, once it is written
}

// The namespaces, and the two names that have a number of their own.
const (
	xattrACL        = 2
	xattrDefaultACL = 3
)

var xattrPrefixes = []struct {
	prefix string
	index  byte
}{
	{"user.", 1},
	{"system.posix_acl_access", xattrACL},
	{"system.posix_acl_default", xattrDefaultACL},
	{"trusted.", 4},
	{"security.", 6},
}

// xattrs are the extended attributes of an inode, encoded.
type xattrs struct {
	inline []byte // what fits into the inode
	head   []byte // the beginning of a block with the rest, until it is written
	tail   []byte // and its end; zeros are between
	number uint32 // where that was written, or 0

	pending []xattr // all of them, until large ones are written
	values  uint32  // how many blocks those of a directory have
}

// setXattrs takes h's extended attributes.
func (n *inode) setXattrs(h *tar.Header) error {
	all, err := xattrsOf(h)
	if err == nil {
		n.xattrs, err = encodeXattrs(all)
	}
	if err != nil {
		return &EntryError{h.Name, err.Error()}
	}
	return nil
}

// writeXattrs stores what does not fit into the inode.
func (w *Writer) writeXattrs(n *inode) (err error) {
	x := n.xattrs
	if x == nil || x.head == nil {
		return nil
	}
	var block [blockSize]byte
	copy(block[:], x.head)
	copy(block[blockSize-len(x.tail):], x.tail)
	x.number, err = w.out.write(block[:])
	x.head, x.tail = nil, nil
	return err
}

// xattrsOf returns h's attributes in the order that a block has them in.
func xattrsOf(h *tar.Header) ([]xattr, error) {
	var all []xattr
	for key, value := range h.PAXRecords {
		name, ok := strings.CutPrefix(key, paxXattrPrefix)
		if !ok {
			continue
		}
		x, known, err := parseXattr(name, []byte(value))
		if err != nil {
			return nil, fmt.Errorf("has the extended attribute %q, %w", name, err)
		}
		if known {
			all = append(all, x)
		}
	}
	slices.SortFunc(all, func(a, b xattr) int {
		return cmp.Or(cmp.Compare(a.index, b.index), cmp.Compare(len(a.name), len(b.name)), cmp.Compare(a.name, b.name))
	})
	return all, nil
}

// parseXattr tells what stands for a name and value, where Linux knows the
// name's namespace.
func parseXattr(name string, value []byte) (x xattr, known bool, err error) {
	for _, p := range xattrPrefixes {
		rest, ok := strings.CutPrefix(name, p.prefix)
		if !ok {
			continue
		}
		x := xattr{index: p.index, name: rest, value: value}
		switch {
		case p.index == xattrACL || p.index == xattrDefaultACL:
			if rest != "" {
				return x, false, nil
			}
			x.value, err = storedACL(value)
		case rest == "":
			err = errors.New("which has no name")
		case len(rest) > maxName:
			err = fmt.Errorf("whose name has more than %d bytes", maxName)
		case len(value) > maxXattr:
			err = fmt.Errorf("whose value has more than %d bytes", maxXattr)
		}
		return x, true, err
	}
	return xattr{}, false, nil
}

// encodeXattrs puts what fits into the inode, the first ones first, and the
// rest into a block. Where that is too much, the largest values get inodes of
// their own, later, and all names go into the block: e2fsck takes the target of a
// symlink for blocks where it has some and no block of attributes.
func encodeXattrs(all []xattr) (*xattrs, error) {
	if len(all) == 0 {
		return nil, nil
	}
	anyLarge := false
	for {
		if x := storeXattrs(all, !anyLarge); x != nil && anyLarge {
			return &xattrs{pending: all}, nil
		} else if x != nil {
			return x, nil
		}
		largest := &all[0]
		for i := range all {
			if all[i].inline() > largest.inline() {
				largest = &all[i]
			}
		}
		if largest.inline() == 0 {
			return nil, errors.New("has more extended attributes than fit")
		}
		largest.large, anyLarge = true, true
	}
}

// storeXattrs encodes attributes, in the inode too or only in a block, or returns
// nil where they do not fit.
func storeXattrs(all []xattr, inInode bool) *xattrs {
	inside := newXattrArea(make([]byte, xattrInInode), xattrIDSize, xattrIDSize)
	outside := newXattrArea(make([]byte, blockSize), xattrHeadSize, 0)
	for _, x := range all {
		if (!inInode || !inside.add(x)) && !outside.add(x) {
			return nil
		}
	}
	result := &xattrs{}
	if len(inside.hashes) > 0 {
		result.inline = inside.data
		binary.LittleEndian.PutUint32(result.inline, xattrMagic)
	}
	if len(outside.hashes) > 0 {
		binary.LittleEndian.PutUint32(outside.data[0:], xattrMagic)
		binary.LittleEndian.PutUint32(outside.data[4:], 1) // references
		binary.LittleEndian.PutUint32(outside.data[8:], 1) // blocks
		binary.LittleEndian.PutUint32(outside.data[12:], blockHash(outside.hashes))
		result.head, result.tail = bytes.Clone(outside.data[:outside.at]), bytes.Clone(outside.data[outside.end:])
	}
	return result
}

// inline is how long a value is beside its name.
func (x xattr) inline() int {
	if x.large {
		return 0
	}
	return len(x.value)
}

// xattrArea is a place for attributes: entries from its beginning on, values
// from its end back.
type xattrArea struct {
	data   []byte
	base   int // what offsets of values count from
	at     int // the next entry's place
	end    int // the last value's
	hashes []uint32
}

func newXattrArea(data []byte, first, base int) *xattrArea {
	return &xattrArea{data: data, base: base, at: first, end: len(data)}
}

// add stores an attribute and reports whether there was room.
func (a *xattrArea) add(x xattr) bool {
	const terminator = 4 // zero bytes after the last entry
	size := xattrEntrySize + (len(x.name)+3)&^3
	end := a.end - (x.inline()+3)&^3
	if a.at+size+terminator > end {
		return false
	}
	le := binary.LittleEndian
	entry, hash := a.data[a.at:], x.hash()
	entry[0], entry[1] = byte(len(x.name)), x.index
	if x.inline() > 0 {
		le.PutUint16(entry[2:], uint16(end-a.base))
	}
	le.PutUint32(entry[4:], x.inode)
	le.PutUint32(entry[8:], uint32(len(x.value)))
	le.PutUint32(entry[12:], hash)
	copy(entry[xattrEntrySize:], x.name)
	if !x.large {
		copy(a.data[end:], x.value)
	}
	a.at, a.end, a.hashes = a.at+size, end, append(a.hashes, hash)
	return true
}

// hash is what an entry keeps of its name and value.
func (x xattr) hash() uint32 {
	var h uint32
	for _, c := range []byte(x.name) {
		h = h<<5 ^ h>>27 ^ uint32(c)
	}
	if x.large {
		return h<<16 ^ h>>16 ^ x.sum
	}
	padded := make([]byte, (len(x.value)+3)&^3)
	copy(padded, x.value)
	for ; len(padded) > 0; padded = padded[4:] {
		h = h<<16 ^ h>>16 ^ binary.LittleEndian.Uint32(padded)
	}
	return h
}

// blockHash is what a block keeps of its entries' hashes, by which the kernel
// finds equal ones; 0 means that it is not to look.
func blockHash(hashes []uint32) uint32 {
	var all uint32
	for _, h := range hashes {
		if h == 0 {
			return 0
		}
		all = all<<16 ^ all>>16 ^ h
	}
	return all
}
