package filesync

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/format/tree"
)

// Scan returns the state of the directory top, without the hashes of files, and
// without directories that skip is true of. One that is not there is empty.
func Scan(top string, skip func(dir string) bool) (State, error) {
	s := State{}
	fd, err := unix.Open(top, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return s, nil
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: top, Err: err}
	}
	return s, s.scan(fd, ".", skip)
}

// scan adds what is in a directory, which it closes.
func (s State) scan(fd int, dir string, skip func(string) bool) error {
	d := os.NewFile(uintptr(fd), dir)
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, base := range names {
		name := path.Join(dir, base)
		if Hidden(base) {
			continue
		}
		e, err := look(fd, base)
		if err != nil {
			return &tree.FileError{Name: name, Err: err}
		}
		if e.Kind == Absent || e.Kind == Dir && skip(name) {
			continue
		}
		s[name] = e
		if e.Kind != Dir {
			continue
		}
		below, err := unix.Openat(fd, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err == nil {
			err = s.scan(below, name, skip)
		}
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) {
			return &tree.FileError{Name: name, Err: err}
		}
	}
	return nil
}

// look says what a file is; what is of no kind that is kept alike is absent.
func look(dir int, base string) (e Entry, err error) {
	var st unix.Stat_t
	err = unix.Fstatat(dir, base, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
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
		n, _ := unix.Readlinkat(dir, base, target)
		if n <= 0 {
			return Entry{}, nil // another file by now
		}
		e.Kind, e.Hash = Link, string(target[:n])
	}
	return e, nil
}

// Look returns the state of some names below the directory top.
func Look(top string, names []string) (State, error) {
	s := State{}
	root, err := os.OpenRoot(top)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	dirs := map[string]*os.File{}
	defer func() {
		for _, d := range dirs {
			d.Close()
		}
	}()
	for _, name := range names {
		at := path.Dir(name)
		d := dirs[at]
		if d == nil {
			if len(dirs) > 200 {
				for key, open := range dirs {
					open.Close()
					delete(dirs, key)
				}
			}
			if d, err = root.Open(at); err != nil {
				continue // removed, or behind a link
			}
			dirs[at] = d
		}
		e, err := look(int(d.Fd()), path.Base(name))
		if err != nil {
			return nil, &tree.FileError{Name: name, Err: err}
		}
		if e.Kind != Absent {
			s[name] = e
		}
	}
	return s, nil
}

// fresh is how long after a change another one may leave the same time behind: what
// is so young is not known by its stamp the next time.
const fresh = 20 * time.Millisecond

// Hash reads the named files below the directory top, and returns them with their
// hashes. What is no file any more is left out.
func Hash(top string, names []string) (State, error) {
	s := State{}
	root, err := os.OpenRoot(top)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	for _, name := range names {
		e, err := hash(root, name)
		if err != nil && !isFile(root, name) {
			continue
		}
		if err != nil {
			return nil, &tree.FileError{Name: name, Err: err}
		}
		if e.Kind == File {
			s[name] = e
		}
	}
	return s, nil
}

func isFile(root *os.Root, name string) bool {
	info, err := root.Lstat(name)
	return err == nil && info.Mode().IsRegular()
}

func hash(root *os.Root, name string) (e Entry, err error) {
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return e, err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return e, err
	}
	e = Entry{Content{Kind: File, Executable: st.Mode&0o100 != 0}, tree.StampOf(&st)}
	sum := sha256.New()
	if time.Since(time.Unix(0, e.Stamp.CTime)) < fresh {
		e.Stamp = tree.Stamp{}
	}
	_, err = io.Copy(sum, f)
	e.Hash = hex.EncodeToString(sum.Sum(nil))
	return e, err
}
