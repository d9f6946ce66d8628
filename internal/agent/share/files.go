package share

import (
	"errors"
	"math"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// passed are the ways to open a file that the guest's choice is for. Where it writes
// to, the kernel says each time, also for what is only appended to.
const passed = unix.O_ACCMODE | unix.O_TRUNC | unix.O_SYNC | unix.O_DSYNC

// cached lets the guest's kernel keep what it holds of a file, unless the file's time or
// size has changed.
const cached = fuse.FOPEN_KEEP_CACHE

func changes(flags uint32) bool {
	return flags&unix.O_ACCMODE != unix.O_RDONLY || flags&unix.O_TRUNC != 0
}

// Open implements fuse.RawFileSystem.
func (s *share) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if s.ReadOnly && changes(in.Flags) {
		return fuse.EROFS
	}
	n, fd, err := s.find(in.NodeId)
	if err != nil {
		return status(err)
	}
	defer unix.Close(fd)
	if n.kind != unix.S_IFREG {
		return fuse.Status(unix.EISDIR)
	}
	file, err := reopen(fd, int(in.Flags&passed))
	if err != nil {
		return status(err)
	}
	out.OpenFlags = cached
	out.Fh, err = s.keep(file, n, false)
	return status(err)
}

// Create implements fuse.RawFileSystem.
func (s *share) Create(_ <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	return s.inDir(in.NodeId, name, func(dirFD int, at place) error {
		file, err := openAt(dirFD, name, int(in.Flags&passed)|unix.O_CREAT|unix.O_EXCL, plain(in.Mode, unix.S_IFREG))
		if errors.Is(err, unix.EEXIST) && in.Flags&unix.O_EXCL == 0 {
			file, err = openExisting(dirFD, name, int(in.Flags&passed)) // the host has made it meanwhile
		} else if err == nil {
			s.give(file, in.Owner)
		}
		if err != nil {
			return s.lost(err)
		}
		return s.hand(file, at, out)
	})
}

func openExisting(dirFD int, name string, flags int) (int, error) {
	fd, err := openAt(dirFD, name, unix.O_PATH, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	return reopen(fd, flags)
}

// hand gives an open file, which is new to it, to the guest.
func (s *share) hand(file int, at place, out *fuse.CreateOut) error {
	n, err := s.introduce(file, at, &out.EntryOut)
	if err != nil {
		unix.Close(file)
		return err
	}
	if out.Fh, err = s.keep(file, n, false); err != nil {
		s.nodes.forget(n.id, 1)
		return err
	}
	out.OpenFlags = cached
	return nil
}

// Tmpfile implements fuse.RawFileSystem.
func (s *share) Tmpfile(_ <-chan struct{}, in *fuse.CreateIn, out *fuse.CreateOut) fuse.Status {
	if s.ReadOnly {
		return fuse.EROFS
	}
	_, fd, err := s.find(in.NodeId)
	if err != nil {
		return status(err)
	}
	defer unix.Close(fd)
	file, err := openAt(fd, ".", int(in.Flags&passed&^unix.O_TRUNC)|unix.O_TMPFILE, plain(in.Mode, unix.S_IFREG))
	if err != nil {
		return status(s.lost(err))
	}
	s.give(file, in.Owner)
	return status(s.hand(file, place{}, out))
}

// Read implements fuse.RawFileSystem.
func (s *share) Read(_ <-chan struct{}, in *fuse.ReadIn, into []byte) (fuse.ReadResult, fuse.Status) {
	f, err := s.files.use(in.Fh, in.NodeId, false)
	if err != nil {
		return nil, status(err)
	}
	defer s.files.done(f)
	if in.Offset > math.MaxInt64 {
		return nil, fuse.EINVAL
	}
	n := 0
	for n < len(into) {
		got, err := unix.Pread(f.fd, into[n:], int64(in.Offset)+int64(n))
		if err == unix.EINTR {
			continue
		}
		if err != nil && n == 0 {
			return nil, status(err)
		}
		if err != nil || got == 0 {
			break
		}
		n += got
	}
	return fuse.ReadResultData(into[:n]), fuse.OK
}

// Writev implements fuse.RawFileSystem.
func (s *share) Writev(_ <-chan struct{}, in *fuse.WriteIn, data [][]byte) (uint32, fuse.Status) {
	if s.ReadOnly {
		return 0, fuse.EROFS
	}
	f, err := s.files.use(in.Fh, in.NodeId, false)
	if err != nil {
		return 0, status(err)
	}
	defer s.files.done(f)
	if in.Offset > math.MaxInt64 {
		return 0, fuse.EINVAL
	}
	written := 0
	for _, part := range data {
		for len(part) > 0 {
			n, err := unix.Pwrite(f.fd, part, int64(in.Offset)+int64(written))
			if err == unix.EINTR {
				continue
			}
			if err != nil && written == 0 {
				return 0, status(err)
			}
			if err != nil {
				return uint32(written), fuse.OK // the rest is tried again, and fails then
			}
			written += n
			part = part[n:]
		}
	}
	return uint32(written), fuse.OK
}

// Release implements fuse.RawFileSystem.
func (s *share) Release(_ <-chan struct{}, in *fuse.ReleaseIn) { s.release(in.Fh, in.NodeId, false) }

// Fsync implements fuse.RawFileSystem.
func (s *share) Fsync(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status { return s.sync(in, false) }

// FsyncDir implements fuse.RawFileSystem.
func (s *share) FsyncDir(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status { return s.sync(in, true) }

func (s *share) sync(in *fuse.FsyncIn, dir bool) fuse.Status {
	f, err := s.files.use(in.Fh, in.NodeId, dir)
	if err != nil {
		return status(err)
	}
	defer s.files.done(f)
	const dataOnly = 1
	if in.FsyncFlags&dataOnly != 0 {
		return status(unix.Fdatasync(f.fd))
	}
	return status(unix.Fsync(f.fd))
}

// Fallocate implements fuse.RawFileSystem.
func (s *share) Fallocate(_ <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	if s.ReadOnly {
		return fuse.EROFS
	}
	if in.Offset > math.MaxInt64 || in.Length > math.MaxInt64 {
		return fuse.EINVAL
	}
	f, err := s.files.use(in.Fh, in.NodeId, false)
	if err != nil {
		return status(err)
	}
	defer s.files.done(f)
	return status(unix.Fallocate(f.fd, in.Mode, int64(in.Offset), int64(in.Length)))
}

// Lseek implements fuse.RawFileSystem. Nobody else has a use for where the descriptor is.
func (s *share) Lseek(_ <-chan struct{}, in *fuse.LseekIn, out *fuse.LseekOut) fuse.Status {
	if in.Whence != unix.SEEK_DATA && in.Whence != unix.SEEK_HOLE || in.Offset > math.MaxInt64 {
		return fuse.EINVAL
	}
	f, err := s.files.use(in.Fh, in.NodeId, false)
	if err != nil {
		return status(err)
	}
	defer s.files.done(f)
	at, err := unix.Seek(f.fd, int64(in.Offset), int(in.Whence))
	out.Offset = uint64(at)
	return status(err)
}

// mostCopied bounds what one message has copied, in bytes: the kernel asks for more.
const mostCopied = 64 << 20

// CopyFileRange implements fuse.RawFileSystem.
func (s *share) CopyFileRange(_ <-chan struct{}, in *fuse.CopyFileRangeIn) (uint32, fuse.Status) {
	if s.ReadOnly {
		return 0, fuse.EROFS
	}
	if in.OffIn > math.MaxInt64 || in.OffOut > math.MaxInt64 || in.Flags != 0 {
		return 0, fuse.EINVAL
	}
	from, err := s.files.use(in.FhIn, in.NodeId, false)
	if err != nil {
		return 0, status(err)
	}
	defer s.files.done(from)
	to, err := s.files.use(in.FhOut, in.NodeIdOut, false)
	if err != nil {
		return 0, status(err)
	}
	defer s.files.done(to)
	fromAt, toAt := int64(in.OffIn), int64(in.OffOut)
	n, err := unix.CopyFileRange(from.fd, &fromAt, to.fd, &toAt, int(min(in.Len, mostCopied)), 0)
	return uint32(max(n, 0)), status(err)
}
