package share

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// beneath is how every file is found: the kernel itself follows no link, leaves no
// directory for the one above, and goes no other way than by names.
const beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS

// openAt opens what path leads to from a directory.
func openAt(dir int, path string, flags int, mode uint32) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC | unix.O_NOFOLLOW), Resolve: beneath}
	if flags&(unix.O_CREAT|unix.O_TMPFILE&^unix.O_DIRECTORY) != 0 {
		how.Mode = uint64(mode)
	}
	for {
		fd, err := unix.Openat2(dir, path, &how)
		switch err {
		case unix.EINTR, unix.EAGAIN: // something was renamed meanwhile
			continue
		case unix.EXDEV:
			err = unix.EIO // which nobody's names lead to
		}
		return fd, err
	}
}

func stat(fd int) (st unix.Statx_t, err error) {
	const want = unix.STATX_BASIC_STATS | unix.STATX_BTIME
	err = unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, want, &st)
	return st, err
}

// self is a path to what a descriptor is of, for calls that take no descriptor of
// a file that was not opened to be read.
func self(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// checkName returns why a name is none of a file in a directory.
func checkName(name string) error {
	switch {
	case name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00"):
		return unix.EINVAL
	case len(name) > unix.NAME_MAX:
		return unix.ENAMETOOLONG
	}
	return nil
}

// attempts is how often a file is looked for that is moved about meanwhile.
const attempts = 3

// openNode returns a descriptor of a node's file, which may be good for no more than
// finding it. It is the file that the guest came to know by the number, or
// there is an error.
func (s *share) openNode(n *node) (int, error) {
	for range attempts {
		for _, way := range s.nodes.ways(n) {
			fd, err := s.follow(way)
			if err != nil {
				continue
			}
			st, err := stat(fd)
			if err == nil && (n == s.nodes.root || identify(&st) == n.is) {
				return fd, nil
			}
			unix.Close(fd)
		}
	}
	if fd, err := s.openByHandle(n); err == nil {
		return fd, nil // it has lost its name
	}
	return -1, s.lost(unix.ESTALE)
}

// lost is err, or that the whole directory is gone.
func (s *share) lost(err error) error {
	if st, failed := stat(s.root); failed != nil || st.Nlink == 0 {
		return unix.EIO
	}
	return err
}

// follow opens what names lead to, the last one first.
func (s *share) follow(way []string) (int, error) {
	const longest = unix.PathMax - 1
	way = slices.Clone(way)
	slices.Reverse(way)
	dir := s.root
	for {
		n, size := 0, 0
		for n < len(way) && size+len(way[n])+1 <= longest {
			size += len(way[n]) + 1
			n++
		}
		path := "."
		if n > 0 {
			path = strings.Join(way[:n], "/")
		}
		fd, err := openAt(dir, path, unix.O_PATH, 0)
		if dir != s.root {
			unix.Close(dir)
		}
		if err != nil || n == len(way) {
			return fd, err
		}
		dir, way = fd, way[n:]
	}
}

// find returns the node of a number, and a descriptor of its file.
func (s *share) find(id uint64) (*node, int, error) {
	n := s.nodes.get(id)
	if n == nil {
		return nil, -1, unix.ESTALE
	}
	fd, err := s.openNode(n)
	return n, fd, err
}

// reopen opens the file of a descriptor that was good for finding it, to be used. It
// must be a regular file or a directory: to open another may do something, or wait
// for somebody.
func reopen(fd, flags int) (int, error) {
	st, err := stat(fd)
	if err != nil {
		return -1, err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFDIR:
	case unix.S_IFLNK:
		return -1, unix.ELOOP
	default:
		return -1, unix.EACCES
	}
	return unix.Open(self(fd), flags|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
}
