package share

import (
	"math"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// OpenDir implements fuse.RawFileSystem.
func (s *share) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	n, fd, err := s.find(in.NodeId)
	if err != nil {
		return status(err)
	}
	defer unix.Close(fd)
	if n.kind != unix.S_IFDIR {
		return fuse.ENOTDIR
	}
	s.watch.add(n, fd)
	dir, err := reopen(fd, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return status(err)
	}
	out.Fh, err = s.keep(dir, n, true)
	return status(err)
}

// ReleaseDir implements fuse.RawFileSystem.
func (s *share) ReleaseDir(in *fuse.ReleaseIn) { s.release(in.Fh, in.NodeId, true) }

// How much longer an entry is in an answer than the kernel of the host gives it, at
// the most: so nothing that was read is left over.
const (
	growth     = 2
	growthPlus = 7
	leastRead  = 280 // which has room for one entry of any name, in bytes
)

// ReadDir implements fuse.RawFileSystem.
func (s *share) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return s.list(in, growth, func(_ *handle, e fuse.DirEntry) bool { return out.AddDirEntry(e) })
}

// ReadDirPlus implements fuse.RawFileSystem.
func (s *share) ReadDirPlus(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return s.list(in, growthPlus, func(dir *handle, e fuse.DirEntry) bool {
		entry := out.AddDirLookupEntry(e)
		if entry == nil {
			return false
		}
		if e.Name == "." || e.Name == ".." {
			return true
		}
		// One that is gone, or that is one too many, is only a name.
		if s.enter(dir.fd, place{dir.node, e.Name}, entry) == nil {
			out.FixMode(entry.Mode)
		}
		return true
	})
}

// list adds a directory's entries to an answer.
func (s *share) list(in *fuse.ReadIn, growth int, add func(*handle, fuse.DirEntry) bool) fuse.Status {
	dir, err := s.files.use(in.Fh, in.NodeId, true)
	if err != nil {
		return status(err)
	}
	defer s.files.done(dir)
	if in.Offset > math.MaxInt64 {
		return fuse.EINVAL
	}
	dir.reading.Lock()
	defer dir.reading.Unlock()
	if dir.at != in.Offset {
		if _, err := unix.Seek(dir.fd, int64(in.Offset), unix.SEEK_SET); err != nil {
			return status(err)
		}
		dir.at = in.Offset
	}
	room := int(in.Size)
	for first := true; first || room/growth >= leastRead; first = false {
		used, err := s.listSome(dir, max(room/growth, leastRead), add)
		if err != nil && first {
			return status(err)
		}
		if err != nil || used == 0 {
			break
		}
		room -= used * growth
	}
	return fuse.OK
}

// listSome adds as many entries as the kernel gives in so many bytes, and returns
// how many those were.
func (s *share) listSome(dir *handle, size int, add func(*handle, fuse.DirEntry) bool) (int, error) {
	buf := buffers.get(min(size, maxData))
	defer buffers.put(buf)
	n, err := unix.Getdents(dir.fd, buf)
	if err != nil || n == 0 {
		return 0, err
	}
	for rest := buf[:n]; len(rest) > 0; {
		var e fuse.DirEntry
		rest = rest[e.Parse(rest):]
		if !add(dir, e) {
			_, err := unix.Seek(dir.fd, int64(dir.at), unix.SEEK_SET) // it comes again
			return 0, err
		}
		dir.at = e.Off
	}
	return n, nil
}
