package ext4

import (
	"archive/tar"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

const (
	xattrMagic     = 0xea020000
	xattrEntry     = 16 // bytes, before the name
	xattrInInode   = inodeSize - 128 - extraSize
	xattrHeader    = 32 // bytes, of a block
	paxXattrPrefix = "SCHILY.xattr."
)

// xattr is an extended attribute as it is stored.
type xattr struct {
	index byte // stands for the name's prefix
	name  string
	value []byte
}

// xattrPrefixes are in the order in which they are tried.
var xattrPrefixes = []struct {
	prefix string
	index  byte
}{
	{"user.", 1},
	{"system.posix_acl_access", 2},
	{"system.posix_acl_default", 3},
	{"trusted.", 4},
	{"security.", 6},
	{"system.", 7},
}

// setXattrs stores h's extended attributes: in the inode where all fit there,
// else in a block.
func (w *Writer) setXattrs(n *inode, h *tar.Header) error {
	attributes, err := xattrsOf(h)
	if err != nil {
		return err
	}
	n.xattrs = nil
	if n.xblock != 0 {
		w.out.free([]run{{n.xblock, 1}})
		n.owned = slices.DeleteFunc(n.owned, func(r run) bool { return r.start == n.xblock })
		n.xblock = 0
	}
	if len(attributes) == 0 {
		return nil
	}
	inline := make([]byte, xattrInInode)
	binary.LittleEndian.PutUint32(inline, xattrMagic)
	if putXattrs(inline[4:], 0, attributes, false) {
		n.xattrs = inline
		return nil
	}
	block := make([]byte, blockSize)
	if !putXattrs(block, xattrHeader, attributes, true) {
		return &EntryError{h.Name, "has more extended attributes than fit"}
	}
	binary.LittleEndian.PutUint32(block[0:], xattrMagic)
	binary.LittleEndian.PutUint32(block[4:], 1) // references
	binary.LittleEndian.PutUint32(block[8:], 1) // blocks
	binary.LittleEndian.PutUint32(block[12:], blockHash(attributes))
	if n.xblock, err = w.out.write(block); err != nil {
		return err
	}
	n.owned = append(n.owned, run{n.xblock, 1})
	return nil
}

// xattrsOf returns h's attributes in the order that a block has them in.
func xattrsOf(h *tar.Header) ([]xattr, error) {
	var all []xattr
	for key, value := range h.PAXRecords {
		name, ok := strings.CutPrefix(key, paxXattrPrefix)
		if !ok {
			continue
		}
		x, err := parseXattr(name, []byte(value))
		if err != nil {
			return nil, &EntryError{h.Name, err.Error()}
		}
		all = append(all, x)
	}
	slices.SortFunc(all, func(a, b xattr) int {
		return cmp.Or(cmp.Compare(a.index, b.index), cmp.Compare(len(a.name), len(b.name)), cmp.Compare(a.name, b.name))
	})
	return all, nil
}

func parseXattr(name string, value []byte) (xattr, error) {
	for _, p := range xattrPrefixes {
		rest, ok := strings.CutPrefix(name, p.prefix)
		if !ok {
			continue
		}
		isACL := p.index == 2 || p.index == 3
		switch {
		case isACL && rest != "", !isACL && rest == "", len(rest) > maxName:
			return xattr{}, fmt.Errorf("has an extended attribute of the unusable name %q", name)
		case isACL:
			stored, err := storedACL(value)
			return xattr{p.index, rest, stored}, err
		}
		return xattr{p.index, rest, value}, nil
	}
	return xattr{}, fmt.Errorf("has an extended attribute of the unknown kind %q", name)
}

// putXattrs writes entries from the offset first on and values from the end
// back, and tells whether they fit. Offsets count from the start of to.
func putXattrs(to []byte, first int, attributes []xattr, hashed bool) bool {
	at, end := first, len(to)
	for _, x := range attributes {
		size := xattrEntry + (len(x.name)+3)&^3
		padded := (len(x.value) + 3) &^ 3
		end -= padded
		if at+size+4 > end { // four zero bytes end the entries
			return false
		}
		entry := to[at:]
		entry[0], entry[1] = byte(len(x.name)), x.index
		if len(x.value) > 0 {
			binary.LittleEndian.PutUint16(entry[2:], uint16(end))
		}
		binary.LittleEndian.PutUint32(entry[8:], uint32(len(x.value)))
		if hashed {
			binary.LittleEndian.PutUint32(entry[12:], x.hash())
		}
		copy(entry[xattrEntry:], x.name)
		copy(to[end:], x.value)
		at += size
	}
	return true
}

// hash is e_hash of fs/ext4/xattr.c.
func (x xattr) hash() uint32 {
	var h uint32
	for _, c := range []byte(x.name) {
		h = h<<5 ^ h>>27 ^ uint32(c)
	}
	padded := make([]byte, (len(x.value)+3)&^3)
	copy(padded, x.value)
	for ; len(padded) > 0; padded = padded[4:] {
		h = h<<16 ^ h>>16 ^ binary.LittleEndian.Uint32(padded)
	}
	return h
}

// blockHash is h_hash of fs/ext4/xattr.c.
func blockHash(attributes []xattr) uint32 {
	var h uint32
	for _, x := range attributes {
		entry := x.hash()
		if entry == 0 {
			return 0
		}
		h = h<<16 ^ h>>16 ^ entry
	}
	return h
}
