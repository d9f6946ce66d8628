package filesync

import (
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"banger/internal/format/tree"
)

// Scan writes the state of the directory top, without the hashes of files, and
// without directories that skip is true of. One that is not there is empty.
func Scan(w io.Writer, top string, skip func(dir string) bool) error {
	s := scan{encoder: encoder{w: w}, skip: skip, list: make([]byte, 32<<10)}
	fd, err := unix.Open(top, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err == nil {
		err = s.dir(fd, "")
	} else {
		err = &os.PathError{Op: "open", Path: top, Err: err}
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	return s.end()
}

type scan struct {
	encoder
	skip func(string) bool
	list []byte // room for a part of a directory's list
	name []byte // room for a name
}

// dir writes what is in a directory, whose name ends in a slash unless it is the top,
// and closes it. Where nothing has changed most of a sync's time goes here, in a guest
// that may be emulated: so nothing is allocated for a file.
func (s *scan) dir(fd int, dir string) error {
	defer unix.Close(fd)
	var dirs []string
	s.name = append(s.name[:0], dir...)
	err := eachFile(fd, s.list, func(base []byte, kind byte) error {
		if Hidden(alias(base)) {
			return nil
		}
		if kind == unix.DT_DIR {
			dirs = append(dirs, string(base))
			return nil
		}
		e, err := look(fd, alias(base))
		s.name = append(s.name[:len(dir)], base...)
		if len(s.name) > maxName {
			err = unix.ENAMETOOLONG
		}
		switch {
		case err != nil:
			return &tree.FileError{Name: string(s.name), Err: err}
		case e.Kind == Dir:
			dirs = append(dirs, string(base))
		case e.Kind != Absent:
			return s.add(alias(s.name), e.Content, e.Stamp)
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.Sort(dirs)
	for _, base := range dirs {
		if name := dir + base; !s.skip(name) {
			if err := s.below(fd, base, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// alias is a text of the same bytes, for as long as those stay.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// below writes a directory in another one, and what is in it, unless that is what the
// kernel shows of itself.
func (s *scan) below(at int, base, name string) error {
	if len(name) > maxName {
		return &tree.FileError{Name: name, Err: unix.ENAMETOOLONG}
	}
	fd, err := unix.Openat(at, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil // removed, or another file by now
	}
	if err != nil {
		return &tree.FileError{Name: name, Err: err}
	}
	if tree.IsKernels(fd) {
		return unix.Close(fd)
	}
	if err := s.add(name, Content{Kind: Dir}, tree.Stamp{}); err != nil {
		unix.Close(fd)
		return err
	}
	err = s.dir(fd, name+"/")
	if err != nil && !errors.As(err, new(*tree.FileError)) {
		err = &tree.FileError{Name: name, Err: err}
	}
	return err
}

// look says what a file is; what is of no kind that is kept alike is absent.
func look(dir int, base string) (e Entry, err error) {
	var st unix.Stat_t
	err = unix.Fstatat(dir, base, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil && isGone(err) {
		return e, nil
	}
	if err != nil {
		return e, err
	}
	e.Stamp = tree.StampOf(&st)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		e.Kind, e.Executable = File, st.Mode&0o100 != 0
	case unix.S_IFDIR:
		e.Kind, e.Stamp = Dir, tree.Stamp{}
	case unix.S_IFLNK:
		target := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(dir, base, target)
		if errors.Is(err, unix.EINVAL) || err != nil && isGone(err) {
			return Entry{}, nil // another file by now
		}
		if err != nil {
			return Entry{}, err
		}
		e.Kind, e.Hash = Link, string(target[:n])
	}
	return e, nil
}

// Look returns the state of some names below the directory top.
func Look(top string, names []string) (State, error) {
	s := make(State, len(names))
	in, err := openDirs(top)
	if err != nil {
		return nil, err
	}
	defer in.close()
	for _, name := range names {
		dir, err := in.open(path.Dir(name))
		if err != nil && isGone(err) {
			continue // removed, or behind a link
		}
		if err != nil {
			return nil, &tree.FileError{Name: name, Err: err}
		}
		e, err := look(dir, path.Base(name))
		if err != nil {
			return nil, &tree.FileError{Name: name, Err: err}
		}
		if e.Kind != Absent {
			s[name] = e
		}
	}
	return s, nil
}
