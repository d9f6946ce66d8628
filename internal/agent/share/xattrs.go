package share

import (
	"bytes"
	"errors"
	"strings"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// ownAttrs begins the names of what the server itself notes, which no guest sees.
const ownAttrs = "user.banger."

// checkAttr returns why an attribute is none of the guest's: only those of users are.
func checkAttr(name string) error {
	switch {
	case !strings.HasPrefix(name, "user."):
		return unix.EOPNOTSUPP
	case strings.HasPrefix(name, ownAttrs):
		return unix.EPERM
	case len(name) > 255:
		return unix.ERANGE
	}
	return nil
}

// hasAttrs finds a node that may have attributes.
func (s *share) hasAttrs(id uint64) (fd int, err error) {
	n, fd, err := s.find(id)
	if err == nil && n.kind != unix.S_IFREG && n.kind != unix.S_IFDIR {
		unix.Close(fd)
		return -1, unix.EPERM
	}
	return fd, err
}

// GetXAttr implements fuse.RawFileSystem.
func (s *share) GetXAttr(_ <-chan struct{}, in *fuse.InHeader, name string, into []byte) (uint32, fuse.Status) {
	fd, err := -1, checkAttr(name)
	if err == nil {
		fd, err = s.hasAttrs(in.NodeId)
	}
	if errors.Is(err, unix.EPERM) {
		err = unix.ENODATA // there is none that could be read
	}
	if err != nil {
		return 0, status(err)
	}
	defer unix.Close(fd)
	n, err := unix.Getxattr(self(fd), name, into)
	return uint32(max(n, 0)), status(err)
}

// ListXAttr implements fuse.RawFileSystem.
func (s *share) ListXAttr(_ <-chan struct{}, in *fuse.InHeader, into []byte) (uint32, fuse.Status) {
	fd, err := s.hasAttrs(in.NodeId)
	if errors.Is(err, unix.EPERM) {
		return 0, fuse.OK
	}
	if err != nil {
		return 0, status(err)
	}
	defer unix.Close(fd)
	all := make([]byte, maxXattr)
	n, err := unix.Listxattr(self(fd), all)
	if err != nil {
		return 0, status(err)
	}
	var shown []byte
	for name := range bytes.SplitAfterSeq(all[:n], []byte{0}) {
		if checkAttr(strings.TrimSuffix(string(name), "\x00")) == nil {
			shown = append(shown, name...)
		}
	}
	if len(into) > 0 && len(shown) > len(into) {
		return 0, fuse.ERANGE
	}
	copy(into, shown)
	return uint32(len(shown)), fuse.OK
}

// SetXAttr implements fuse.RawFileSystem.
func (s *share) SetXAttr(_ <-chan struct{}, in *fuse.SetXAttrIn, name string, value []byte) fuse.Status {
	return s.changeAttr(in.NodeId, name, func(path string) error {
		return unix.Setxattr(path, name, value, int(in.Flags)&(unix.XATTR_CREATE|unix.XATTR_REPLACE))
	})
}

// RemoveXAttr implements fuse.RawFileSystem.
func (s *share) RemoveXAttr(_ <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	return s.changeAttr(in.NodeId, name, func(path string) error { return unix.Removexattr(path, name) })
}

func (s *share) changeAttr(id uint64, name string, change func(path string) error) fuse.Status {
	if s.ReadOnly {
		return fuse.EROFS
	}
	if err := checkAttr(name); err != nil {
		return status(err)
	}
	fd, err := s.hasAttrs(id)
	if err != nil {
		return status(err)
	}
	defer unix.Close(fd)
	return status(change(self(fd)))
}
