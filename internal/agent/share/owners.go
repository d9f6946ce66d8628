package share

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ownerAttr keeps the owner that the guest gave a file, which on the host is the
// server's user's all the same: UID:GID, as the guest counts them.
const ownerAttr = ownAttrs + "owner"

// nobody is who owns what is another's on the host.
const nobody = 65534

// usual is the owner that the guest sees where it gave the file no other. What is the
// user's own on the host is the guest's owner's. The rest is nobody's, but where the
// server is the superuser, to whom all users are the same.
func (s *share) usual(st *unix.Statx_t) Owner {
	switch {
	case st.Uid == s.self.UID:
		return s.owner
	case s.self.UID == 0:
		return Owner{st.Uid, st.Gid}
	}
	return Owner{nobody, nobody}
}

// ownerOf is the owner that the guest sees of a descriptor's file.
func (s *share) ownerOf(fd int, st *unix.Statx_t) Owner {
	if kept, ok := keptOwner(fd, st); ok {
		return kept
	}
	return s.usual(st)
}

// keepsOwner reports whether a file can have an owner of the guest's noted. Linux has
// no such notes for links and what is no file.
func keepsOwner(st *unix.Statx_t) bool {
	kind := st.Mode & unix.S_IFMT
	return kind == unix.S_IFREG || kind == unix.S_IFDIR
}

func keptOwner(fd int, st *unix.Statx_t) (o Owner, ok bool) {
	if !keepsOwner(st) {
		return o, false
	}
	var text [2*10 + 2]byte
	n, err := unix.Getxattr(self(fd), ownerAttr, text[:])
	if err != nil {
		return o, false
	}
	_, err = fmt.Sscanf(string(text[:n]), "%d:%d", &o.UID, &o.GID)
	return o, err == nil
}

// setOwner notes an owner that the guest gives a file.
func (s *share) setOwner(fd int, st *unix.Statx_t, to Owner) error {
	if !keepsOwner(st) || s.ownerOf(fd, st) == to {
		return nil
	}
	if s.usual(st) == to {
		return s.writable(fd, st, func() error { return unix.Removexattr(self(fd), ownerAttr) })
	}
	err := s.writable(fd, st, func() error {
		return unix.Setxattr(self(fd), ownerAttr, fmt.Appendf(nil, "%d:%d", to.UID, to.GID), 0)
	})
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSPC) {
		err = unix.EPERM
	}
	return err
}

// writable calls change, which writes a note of a file, also where the file itself may not
// be written to.
func (s *share) writable(fd int, st *unix.Statx_t, change func() error) error {
	err := change()
	if !errors.Is(err, unix.EACCES) || st.Uid != s.self.UID {
		return err
	}
	mode := uint32(st.Mode) & 0o7777
	if err := unix.Chmod(self(fd), mode|0o200); err != nil {
		return err
	}
	err = change()
	unix.Chmod(self(fd), mode)
	return err
}
