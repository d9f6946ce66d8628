package ext4

import (
	"archive/tar"
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// diskInode is an inode as it lies on disk.
type diskInode struct {
	raw   []byte
	mode  uint16
	size  int64
	flags uint32
}

// oldInodeSize is that of a file system without dynamic sizes, and of what all
// inodes have in common.
const oldInodeSize = 128

// flagInline and flagEncrypted are of files whose content is not in blocks, or
// not to be read.
const (
	flagInline    = 0x10000000
	flagEncrypted = 0x800
)

func (fs *Reader) inode(number uint32) (n diskInode, err error) {
	s := &fs.super
	size := int64(oldInodeSize)
	if s.Revision >= dynamicSizes {
		size = int64(s.InodeSize)
	}
	if number == 0 || number > s.Inodes || size < oldInodeSize || size > fs.blockSize {
		return n, fmt.Errorf("%w: there is no inode %d", ErrUnreadable, number)
	}
	group, index := (number-1)/s.InodesPerGroup, (number-1)%s.InodesPerGroup
	n.raw = make([]byte, size)
	if err := fs.readAt(n.raw, fs.tables[group]+int64(index)*size); err != nil {
		return n, err
	}
	le := binary.LittleEndian
	n.mode, n.flags = le.Uint16(n.raw), le.Uint32(n.raw[32:])
	n.size = int64(le.Uint32(n.raw[4:])) | int64(le.Uint32(n.raw[108:]))<<32
	if n.mode&modeType == modeDir && n.size > maxDirectory {
		n.size = -1
	}
	if n.size < 0 || n.flags&(flagInline|flagEncrypted) != 0 {
		return n, fmt.Errorf("%w: inode %d has the size %d and the flags %#x", ErrUnreadable, number, n.size, n.flags)
	}
	return n, nil
}

// maxDirectory bounds what is read of a directory, in bytes.
const maxDirectory = 1 << 30

// body is the block map, or what is there in its stead.
func (n diskInode) body() []byte { return n.raw[bodyAt:][:bodySize] }

// extra returns the 32 bits at an offset behind what old inodes have, or 0.
func (n diskInode) extra(at int) uint32 {
	if len(n.raw) < at+4 || oldInodeSize+int(binary.LittleEndian.Uint16(n.raw[oldInodeSize:])) < at+4 {
		return 0
	}
	return binary.LittleEndian.Uint32(n.raw[at:])
}

func (n diskInode) modified() time.Time {
	sec, extra := int64(int32(binary.LittleEndian.Uint32(n.raw[16:]))), n.extra(136)
	return time.Unix(sec+int64(extra&3)<<32, int64(extra>>2))
}

// entry describes an inode under a name; it is nil for a socket, which is
// nothing without its server.
func (fs *Reader) entry(name string, number uint32, n diskInode) (*tar.Header, io.Reader, error) {
	le := binary.LittleEndian
	h := &tar.Header{
		Name: name, Mode: int64(n.mode & 0o7777), ModTime: n.modified(), Format: tar.FormatPAX,
		Uid: int(le.Uint16(n.raw[2:])) | int(le.Uint16(n.raw[120:]))<<16,
		Gid: int(le.Uint16(n.raw[24:])) | int(le.Uint16(n.raw[122:]))<<16,
	}
	var content io.Reader
	var err error
	switch n.mode & modeType {
	case modeDir:
		h.Typeflag = tar.TypeDir
	case modeFile:
		h.Typeflag, h.Size = tar.TypeReg, n.size
		content, err = fs.content(n)
	case modeSymlink:
		h.Typeflag = tar.TypeSymlink
		h.Linkname, err = fs.target(n)
	case modeChar, modeBlock:
		h.Typeflag = tar.TypeChar
		if n.mode&modeType == modeBlock {
			h.Typeflag = tar.TypeBlock
		}
		h.Devmajor, h.Devminor = n.device()
	case modeFifo:
		h.Typeflag = tar.TypeFifo
	case modeSocket:
		return nil, nil, nil
	default:
		return nil, nil, fmt.Errorf("%w: inode %d has the mode %#o", ErrUnreadable, number, n.mode)
	}
	if err != nil {
		return nil, nil, err
	}
	if first, ok := fs.links[number]; ok {
		h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
		return h, nil, nil
	}
	if h.Typeflag != tar.TypeDir && le.Uint16(n.raw[26:]) > 1 {
		fs.links[number] = name
	}
	h.PAXRecords, err = fs.xattrs(n)
	return h, content, err
}

const modeSocket = 0xc000

// target returns where a symlink leads: short ones lie where else the block map
// is.
func (fs *Reader) target(n diskInode) (string, error) {
	if n.size > maxSymlink {
		return "", fmt.Errorf("%w: a symlink of %d bytes", ErrUnreadable, n.size)
	}
	if n.size < bodySize && n.flags&flagExtents == 0 {
		return string(n.body()[:n.size]), nil
	}
	content, err := fs.content(n)
	if err != nil {
		return "", err
	}
	target, err := io.ReadAll(content)
	return string(target), err
}

// device returns a device's numbers, in Linux's old encoding or the new one.
func (n diskInode) device() (major, minor int64) {
	le := binary.LittleEndian
	if old := le.Uint32(n.body()); old != 0 {
		return int64(old >> 8 & 0xff), int64(old & 0xff)
	}
	number := le.Uint32(n.body()[4:])
	return int64(number >> 8 & 0xfff), int64(number&0xff | number>>12&0xfff00)
}
