package share

import (
	"errors"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Lookup implements fuse.RawFileSystem.
func (s *share) Lookup(_ <-chan struct{}, in *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	if err := checkName(name); err != nil {
		return status(err)
	}
	dir, fd, err := s.find(in.NodeId)
	if err != nil {
		return status(err)
	}
	defer unix.Close(fd)
	s.watch.add(dir, fd)
	err = s.enter(fd, place{dir, name}, out)
	if errors.Is(err, unix.ENOENT) {
		if err = s.lost(err); errors.Is(err, unix.ENOENT) {
			*out = fuse.EntryOut{}
			out.SetEntryTimeout(s.believedAbsent(dir))
			return fuse.OK
		}
	}
	return status(err)
}

// enter tells the guest of what has a name in the directory of a descriptor.
func (s *share) enter(dirFD int, at place, out *fuse.EntryOut) error {
	fd, err := openAt(dirFD, at.name, unix.O_PATH, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = s.introduce(fd, at, out)
	return err
}

// introduce tells the guest of a descriptor's file, which is at a place.
func (s *share) introduce(fd int, at place, out *fuse.EntryOut) (*node, error) {
	st, err := stat(fd)
	if err != nil {
		return nil, err
	}
	n, err := s.nodes.meet(at, &st)
	if err != nil {
		return nil, err
	}
	named := s.believed(at.dir)
	believed, err := s.believedOf(n, fd, &st, named)
	if err != nil {
		s.nodes.forget(n.id, 1)
		return nil, err
	}
	*out = fuse.EntryOut{NodeId: n.id, Generation: 1}
	s.attributes(fd, &st, &out.Attr)
	out.SetEntryTimeout(named)
	out.SetAttrTimeout(believed)
	return n, nil
}

// Forget implements fuse.RawFileSystem.
func (s *share) Forget(id, lookups uint64) { s.nodes.forget(id, lookups) }

// Readlink implements fuse.RawFileSystem.
func (s *share) Readlink(_ <-chan struct{}, in *fuse.InHeader) ([]byte, fuse.Status) {
	n, fd, err := s.find(in.NodeId)
	if err != nil {
		return nil, status(err)
	}
	defer unix.Close(fd)
	if n.kind != unix.S_IFLNK {
		return nil, fuse.EINVAL
	}
	target := make([]byte, unix.PathMax)
	length, err := unix.Readlinkat(fd, "", target)
	if err != nil {
		return nil, status(err)
	}
	return target[:length], fuse.OK
}

// inDir runs a change of a name in one of the guest's directories.
func (s *share) inDir(id uint64, name string, change func(dirFD int, at place) error) fuse.Status {
	if s.ReadOnly {
		return fuse.EROFS
	}
	if err := checkName(name); err != nil {
		return status(err)
	}
	dir, fd, err := s.find(id)
	if err != nil {
		return status(err)
	}
	defer unix.Close(fd)
	s.watch.add(dir, fd)
	return status(change(fd, place{dir, name}))
}

// made finishes what was just made by name: it is the caller's, and the guest is told.
func (s *share) made(dirFD int, at place, by fuse.Owner, out *fuse.EntryOut) error {
	fd, err := openAt(dirFD, at.name, unix.O_PATH, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	s.give(fd, by)
	_, err = s.introduce(fd, at, out)
	return err
}

// give makes the guest's user who made a file its owner. Where that cannot be noted, the
// usual owner remains.
func (s *share) give(fd int, by fuse.Owner) {
	to := Owner{by.Uid, by.Gid}
	if to == s.owner {
		return
	}
	if st, err := stat(fd); err == nil {
		s.setOwner(fd, &st, to)
	}
}

// Mkdir implements fuse.RawFileSystem.
func (s *share) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	return s.inDir(in.NodeId, name, func(dirFD int, at place) error {
		if err := unix.Mkdirat(dirFD, name, plain(in.Mode, unix.S_IFDIR)); err != nil {
			return s.lost(err)
		}
		return s.made(dirFD, at, in.Owner, out)
	})
}

// Mknod implements fuse.RawFileSystem. Devices are the host's alone.
func (s *share) Mknod(_ <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	kind := in.Mode & unix.S_IFMT
	switch kind {
	case unix.S_IFREG, unix.S_IFIFO, unix.S_IFSOCK:
	default:
		return fuse.EPERM
	}
	return s.inDir(in.NodeId, name, func(dirFD int, at place) error {
		if err := unix.Mknodat(dirFD, name, kind|plain(in.Mode, kind), 0); err != nil {
			return s.lost(err)
		}
		return s.made(dirFD, at, in.Owner, out)
	})
}

// Symlink implements fuse.RawFileSystem. Where the link leads is for the guest to
// find out: nobody follows it here.
func (s *share) Symlink(_ <-chan struct{}, in *fuse.InHeader, target, name string, out *fuse.EntryOut) fuse.Status {
	return s.inDir(in.NodeId, name, func(dirFD int, at place) error {
		if err := unix.Symlinkat(target, dirFD, name); err != nil {
			return s.lost(err)
		}
		return s.made(dirFD, at, in.Owner, out)
	})
}

// Link implements fuse.RawFileSystem.
func (s *share) Link(_ <-chan struct{}, in *fuse.LinkIn, name string, out *fuse.EntryOut) fuse.Status {
	return s.inDir(in.NodeId, name, func(dirFD int, at place) error {
		n, fd, err := s.find(in.Oldnodeid)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if n.kind == unix.S_IFDIR {
			return unix.EPERM
		}
		if err := unix.Linkat(unix.AT_FDCWD, self(fd), dirFD, name, unix.AT_SYMLINK_FOLLOW); err != nil {
			return s.lost(err)
		}
		return s.enter(dirFD, at, out)
	})
}

// Unlink implements fuse.RawFileSystem.
func (s *share) Unlink(_ <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	return s.inDir(in.NodeId, name, func(dirFD int, at place) error { return s.remove(dirFD, at, 0) })
}

// Rmdir implements fuse.RawFileSystem.
func (s *share) Rmdir(_ <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	return s.inDir(in.NodeId, name, func(dirFD int, at place) error { return s.remove(dirFD, at, unix.AT_REMOVEDIR) })
}

func (s *share) remove(dirFD int, at place, flags int) error {
	is, err := identifyAt(dirFD, at.name)
	if err != nil {
		return s.lost(err)
	}
	if err := unix.Unlinkat(dirFD, at.name, flags); err != nil {
		return s.lost(err)
	}
	s.nodes.removed(at, is)
	return nil
}

// identifyAt tells which file has a name in a directory.
func identifyAt(dirFD int, name string) (identity, error) {
	fd, err := openAt(dirFD, name, unix.O_PATH, 0)
	if err != nil {
		return identity{}, err
	}
	defer unix.Close(fd)
	st, err := stat(fd)
	return identify(&st), err
}

// Rename implements fuse.RawFileSystem.
func (s *share) Rename(_ <-chan struct{}, in *fuse.RenameIn, from, to string) fuse.Status {
	if in.Flags&^(unix.RENAME_NOREPLACE|unix.RENAME_EXCHANGE) != 0 {
		return fuse.EINVAL
	}
	return s.inDir(in.NodeId, from, func(fromFD int, old place) error {
		return errnoOf(s.inDir(in.Newdir, to, func(toFD int, fresh place) error {
			return s.rename(fromFD, old, toFD, fresh, in.Flags)
		}))
	})
}

// errnoOf is a status as an error.
func errnoOf(s fuse.Status) error {
	if s.Ok() {
		return nil
	}
	return unix.Errno(s)
}

func (s *share) rename(fromFD int, old place, toFD int, fresh place, flags uint32) error {
	moves, err := identifyAt(fromFD, old.name)
	if err != nil {
		return s.lost(err)
	}
	goes, errGoes := identifyAt(toFD, fresh.name)
	if err := unix.Renameat2(fromFD, old.name, toFD, fresh.name, uint(flags)); err != nil {
		return s.lost(err)
	}
	switch {
	case flags&unix.RENAME_EXCHANGE != 0 && errGoes == nil:
		s.nodes.moved(fresh, old, goes)
	case errGoes == nil && goes != moves:
		s.nodes.removed(fresh, goes)
	}
	s.nodes.moved(old, fresh, moves)
	return nil
}
