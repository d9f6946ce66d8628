package ext4

import (
	"archive/tar"
	"encoding/binary"
	"time"
)

// Modes and flags of an inode.
const (
	modeFifo    = 0x1000
	modeChar    = 0x2000
	modeDir     = 0x4000
	modeBlock   = 0x6000
	modeFile    = 0x8000
	modeSymlink = 0xa000
	modeType    = 0xf000

	flagExtents = 0x80000

	extraSize = 32 // bytes used behind the 128 of ext2
	bodyAt    = 40 // offset of the block map
	bodySize  = 60
)

// inode is a file of any kind.
type inode struct {
	mode     uint16
	uid, gid uint32
	links    uint32
	flags    uint32
	nsec     uint32
	sec      int64
	size     int64
	body     [bodySize]byte    // extents, a short symlink's target or a device's number
	owned    []run             // blocks: content, extents, attributes
	xattrs   []byte            // what of the attributes is in the inode
	xblock   uint32            // the block with the rest, or 0
	entries  map[string]uint32 // of a directory
	parent   uint32            // of a directory
}

func (n *inode) isDir() bool { return n.mode&modeType == modeDir }

func newDirectory(parent uint32, h *tar.Header) inode {
	n := inode{mode: modeDir, links: 2, parent: parent, entries: map[string]uint32{}}
	n.setAttributes(h)
	return n
}

// newSpecial makes a device or a fifo. Numbers that fit the old encoding use
// it, as Linux does.
func newSpecial(h *tar.Header) inode {
	n := inode{links: 1}
	switch h.Typeflag {
	case tar.TypeChar:
		n.mode = modeChar
	case tar.TypeBlock:
		n.mode = modeBlock
	default:
		n.mode = modeFifo
		return n
	}
	major, minor := uint32(h.Devmajor), uint32(h.Devminor)
	if major < 256 && minor < 256 {
		binary.LittleEndian.PutUint32(n.body[0:], major<<8|minor)
	} else {
		binary.LittleEndian.PutUint32(n.body[4:], minor&0xff|major<<8|(minor&^0xff)<<12)
	}
	return n
}

// setAttributes takes owner, permissions and time from h.
func (n *inode) setAttributes(h *tar.Header) {
	n.mode = n.mode&modeType | uint16(h.Mode&0o7777)
	n.uid, n.gid = uint32(h.Uid), uint32(h.Gid)
	t := h.ModTime
	if t.IsZero() {
		t = time.Unix(0, 0)
	}
	n.sec, n.nsec = clampTime(t.Unix()), uint32(t.Nanosecond())
}

// The times that an inode can hold: 34 bits from 1901 on.
const (
	minTime = -1 << 31
	maxTime = 1<<34 - 1<<31 - 1
)

func clampTime(sec int64) int64 { return max(minTime, min(sec, maxTime)) }

// blocks512 is the space taken, in the unit of the format.
func (n *inode) blocks512() uint64 {
	var blocks uint64
	for _, r := range n.owned {
		blocks += uint64(r.count)
	}
	return blocks * (blockSize / 512)
}

// encode writes the inode to its place in the inode table; an unused one is
// all zeros.
func (n *inode) encode(to []byte) {
	if n.links == 0 {
		return
	}
	le := binary.LittleEndian
	sec := uint32(n.sec)
	extra := uint32((n.sec-int64(int32(n.sec)))>>32)&3 | n.nsec<<2
	blocks := n.blocks512()
	links := n.links
	if n.isDir() && links > maxLinks {
		links = 1 // dir_nlink: too many to count
	}
	le.PutUint16(to[0:], n.mode)
	le.PutUint16(to[2:], uint16(n.uid))
	le.PutUint32(to[4:], uint32(n.size))
	le.PutUint32(to[8:], sec)  // access
	le.PutUint32(to[12:], sec) // change
	le.PutUint32(to[16:], sec) // modification
	le.PutUint16(to[24:], uint16(n.gid))
	le.PutUint16(to[26:], uint16(links))
	le.PutUint32(to[28:], uint32(blocks))
	le.PutUint32(to[32:], n.flags)
	copy(to[bodyAt:], n.body[:])
	le.PutUint32(to[104:], n.xblock)
	le.PutUint32(to[108:], uint32(n.size>>32))
	le.PutUint16(to[116:], uint16(blocks>>32))
	le.PutUint16(to[120:], uint16(n.uid>>16))
	le.PutUint16(to[122:], uint16(n.gid>>16))
	le.PutUint16(to[128:], extraSize)
	le.PutUint32(to[132:], extra) // change
	le.PutUint32(to[136:], extra) // modification
	le.PutUint32(to[140:], extra) // access
	le.PutUint32(to[144:], sec)   // creation
	le.PutUint32(to[148:], extra)
	copy(to[128+extraSize:], n.xattrs)
}
