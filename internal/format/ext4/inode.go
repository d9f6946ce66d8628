package ext4

import (
	"archive/tar"
	"encoding/binary"
	"fmt"
	"math"
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

	flagIndex   = 0x1000 // a directory with a hash tree
	flagExtents = 0x80000

	extraSize = 32 // bytes used behind the 128 of ext2
	bodyAt    = 40 // offset of the block map
	bodySize  = 60
)

// inode is a file of any kind, as small as it can be: there may be millions.
type inode struct {
	size     int64
	sec      int64 // modification, since 1970; of an attribute's value, its hash
	nsec     uint32
	uid, gid uint32
	links    uint32 // 0 is an unused inode
	flags    uint32
	first    uint32  // its blocks are those that space hands out from here
	blocks   uint32  // how many it has: content, extents, attributes
	parent   uint32  // of a directory
	children uint32  // of a directory
	mode     uint16  // type and permissions
	body     string  // extents, a short symlink's target or a device's number
	xattrs   *xattrs // or nil
}

func (n *inode) isDir() bool { return n.mode&modeType == modeDir }

// setAttributes takes owner, permissions and time from h.
func (n *inode) setAttributes(h *tar.Header) error {
	if !isID(h.Uid) || !isID(h.Gid) {
		return &EntryError{h.Name, fmt.Sprintf("has the impossible owner %d:%d", h.Uid, h.Gid)}
	}
	n.mode = n.mode&modeType | uint16(h.Mode&0o7777)
	n.uid, n.gid = uint32(h.Uid), uint32(h.Gid)
	n.sec, n.nsec = 0, 0
	if !h.ModTime.IsZero() {
		n.sec, n.nsec = inodeTime(h.ModTime)
	}
	return nil
}

// isID reports whether n can be a user or a group; the highest number means none.
func isID(n int) bool { return n >= 0 && n < math.MaxUint32 }

// The seconds that an inode is given. It could hold another 136 years, but
// those e2fsck takes for a mistake.
const (
	minTime = math.MinInt32
	maxTime = math.MaxInt32 + 2<<32 // in the year 2310
)

func inodeTime(t time.Time) (sec int64, nsec uint32) {
	switch sec := t.Unix(); {
	case sec < minTime:
		return minTime, 0
	case sec > maxTime:
		return maxTime, 0
	default:
		return sec, uint32(t.Nanosecond())
	}
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
	sectors := uint64(n.blocks) * (blockSize / 512)
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
	le.PutUint32(to[28:], uint32(sectors))
	le.PutUint32(to[32:], n.flags)
	copy(to[bodyAt:][:bodySize], n.body)
	le.PutUint32(to[108:], uint32(n.size>>32))
	le.PutUint16(to[116:], uint16(sectors>>32))
	le.PutUint16(to[120:], uint16(n.uid>>16))
	le.PutUint16(to[122:], uint16(n.gid>>16))
	le.PutUint16(to[128:], extraSize)
	le.PutUint32(to[132:], extra) // change
	le.PutUint32(to[136:], extra) // modification
	le.PutUint32(to[140:], extra) // access
	le.PutUint32(to[144:], sec)   // creation
	le.PutUint32(to[148:], extra)
	if n.flags&flagEAInode != 0 {
		n.encodeLarge(to)
	}
	if n.xattrs != nil {
		le.PutUint32(to[104:], n.xattrs.number)
		copy(to[128+extraSize:inodeSize], n.xattrs.inline)
	}
}

const inodesPerPage = 4096

// inodes are all inodes by their numbers, the first being 1. They never move.
type inodes struct {
	pages []*[inodesPerPage]inode
	count uint32
}

func (t *inodes) at(number uint32) *inode {
	i := number - 1
	return &t.pages[i/inodesPerPage][i%inodesPerPage]
}

func (t *inodes) add(n inode) uint32 {
	if t.count%inodesPerPage == 0 {
		t.pages = append(t.pages, new([inodesPerPage]inode))
	}
	t.count++
	*t.at(t.count) = n
	return t.count
}
