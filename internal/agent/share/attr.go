package share

import (
	"errors"
	"math"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// How long the guest's kernel believes what it was told of a file, and that a name is
// there, or is not. What the host changes it sees that much later, or where it is told
// of changes when it hears of them.
const (
	validity = time.Second
	ifTold   = 2 * time.Minute // also how long it has what a program writes through a mapping that stays
)

// believed is how long names in a directory are. The directory is to be watched, if it
// can be, before they are looked at.
func (s *share) believed(dir *node) time.Duration {
	if s.watch.has(dir) {
		return ifTold
	}
	return validity
}

// believedAbsent is how long it is that a name in a directory is not there. Where news
// are lost the kernel is told to forget each directory that it knows by a name, and with
// that what is not in it; the root has no name.
func (s *share) believedAbsent(dir *node) time.Duration {
	if dir == s.nodes.root {
		return validity
	}
	return s.believed(dir)
}

// believedOf is how long a node's attributes are, where names in the directory that it
// is in are believed for so long. A directory that is watched is looked at once more,
// since it may not have been before. What a file of several names becomes by another
// one nobody may hear of.
func (s *share) believedOf(n *node, fd int, st *unix.Statx_t, named time.Duration) (time.Duration, error) {
	switch {
	case n.kind == unix.S_IFDIR && s.watch.has(n):
		again, err := stat(fd)
		*st = again
		return ifTold, err
	case n.kind == unix.S_IFDIR, st.Nlink != 1:
		return validity, nil
	}
	return named, nil
}

// status is what the guest is told of an error.
func status(err error) fuse.Status {
	if err == nil {
		return fuse.OK
	}
	errno, ok := errors.AsType[unix.Errno](err)
	switch {
	case !ok:
		return fuse.EIO
	case errno == unix.ENFILE || errno == unix.EMFILE:
		return fuse.Status(unix.ENFILE)
	case errno == unix.ENOSYS: // of one call, and not of the operation, which the kernel would never ask for again
		return fuse.Status(unix.EOPNOTSUPP)
	}
	return fuse.Status(errno)
}

// attributes of a descriptor's file, as the guest sees it.
func (s *share) attributes(fd int, st *unix.Statx_t, out *fuse.Attr) {
	owner := s.ownerOf(fd, st)
	*out = fuse.Attr{
		Ino: st.Ino, Size: st.Size, Blocks: st.Blocks, Blksize: st.Blksize,
		Mode: uint32(st.Mode), Nlink: st.Nlink, Owner: fuse.Owner{Uid: owner.UID, Gid: owner.GID},
		Rdev:  st.Rdev_major<<8&0xfff00 | st.Rdev_minor&0xff | st.Rdev_minor>>8<<20,
		Atime: uint64(st.Atime.Sec), Atimensec: st.Atime.Nsec,
		Mtime: uint64(st.Mtime.Sec), Mtimensec: st.Mtime.Nsec,
		Ctime: uint64(st.Ctime.Sec), Ctimensec: st.Ctime.Nsec,
	}
	if device := unix.Mkdev(st.Dev_major, st.Dev_minor); device != s.nodes.root.is.device {
		out.Ino ^= device << 40 // another file system's, which has numbers of its own
	}
}

// GetAttr implements fuse.RawFileSystem.
func (s *share) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	n, fd, err := s.find(in.NodeId)
	if err != nil {
		return status(err)
	}
	defer unix.Close(fd)
	return s.say(n, fd, out)
}

// say fills out by what a descriptor's file is now.
func (s *share) say(n *node, fd int, out *fuse.AttrOut) fuse.Status {
	named := s.believed(s.nodes.dirOf(n))
	st, err := stat(fd)
	if err != nil {
		return status(err)
	}
	believed, err := s.believedOf(n, fd, &st, named)
	if err != nil {
		return status(err)
	}
	s.attributes(fd, &st, &out.Attr)
	out.SetTimeout(believed)
	return fuse.OK
}

// SetAttr implements fuse.RawFileSystem.
func (s *share) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	if s.ReadOnly {
		return fuse.EROFS
	}
	n, fd, err := s.find(in.NodeId)
	if err != nil {
		return status(err)
	}
	defer unix.Close(fd)
	st, err := stat(fd)
	if err != nil {
		return status(err)
	}
	for _, set := range []func(int, *node, *unix.Statx_t, *fuse.SetAttrIn) error{s.setSize, s.setOwners, s.setMode, s.setTimes} {
		if err := set(fd, n, &st, in); err != nil {
			return status(err)
		}
	}
	return s.say(n, fd, out)
}

func (s *share) setSize(fd int, n *node, st *unix.Statx_t, in *fuse.SetAttrIn) error {
	size, ok := in.GetSize()
	if !ok {
		return nil
	}
	if size > math.MaxInt64 || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return unix.EINVAL
	}
	if id, ok := in.GetFh(); ok {
		if f, err := s.files.use(id, n.id, false); err == nil {
			defer s.files.done(f)
			return unix.Ftruncate(f.fd, int64(size))
		}
	}
	file, err := reopen(fd, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer unix.Close(file)
	return unix.Ftruncate(file, int64(size))
}

func (s *share) setOwners(fd int, _ *node, st *unix.Statx_t, in *fuse.SetAttrIn) error {
	uid, hasUID := in.GetUID()
	gid, hasGID := in.GetGID()
	if !hasUID && !hasGID {
		return nil
	}
	to := s.ownerOf(fd, st)
	if hasUID {
		to.UID = uid
	}
	if hasGID {
		to.GID = gid
	}
	return s.setOwner(fd, st, to)
}

// plain leaves out of a mode what would lend a file's user and group to whoever runs
// it on the host. A directory's group may pass on to what is made in it.
func plain(mode, kind uint32) uint32 {
	if kind == unix.S_IFDIR {
		return mode & 0o3777
	}
	return mode & 0o1777
}

func (s *share) setMode(fd int, n *node, _ *unix.Statx_t, in *fuse.SetAttrIn) error {
	mode, ok := in.GetMode()
	if !ok {
		return nil
	}
	if n.kind == unix.S_IFLNK {
		return unix.EOPNOTSUPP
	}
	return unix.Chmod(self(fd), plain(mode, n.kind))
}

func (s *share) setTimes(fd int, _ *node, _ *unix.Statx_t, in *fuse.SetAttrIn) error {
	if in.Valid&(fuse.FATTR_ATIME|fuse.FATTR_MTIME) == 0 {
		return nil
	}
	times := []unix.Timespec{
		timeOf(in.Valid&fuse.FATTR_ATIME, in.Valid&fuse.FATTR_ATIME_NOW, in.Atime, in.Atimensec),
		timeOf(in.Valid&fuse.FATTR_MTIME, in.Valid&fuse.FATTR_MTIME_NOW, in.Mtime, in.Mtimensec),
	}
	return unix.UtimesNanoAt(fd, "", times, unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW)
}

func timeOf(set, now uint32, seconds uint64, nanoseconds uint32) unix.Timespec {
	switch {
	case set == 0:
		return unix.Timespec{Nsec: unix.UTIME_OMIT}
	case now != 0:
		return unix.Timespec{Nsec: unix.UTIME_NOW}
	}
	return unix.Timespec{Sec: int64(seconds), Nsec: int64(min(nanoseconds, 999999999))}
}

// StatFs implements fuse.RawFileSystem.
func (s *share) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(s.root, &fs); err != nil {
		return status(err)
	}
	*out = fuse.StatfsOut{
		Blocks: fs.Blocks, Bfree: fs.Bavail, Bavail: fs.Bavail, Files: fs.Files, Ffree: fs.Ffree,
		Bsize: uint32(fs.Bsize), NameLen: uint32(fs.Namelen), Frsize: uint32(fs.Frsize),
	}
	return fuse.OK
}
