package tree

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// single unpacks the only entry of a tar to place.
func (u *unpacker) single(r io.Reader, h *tar.Header, place string) error {
	if isSpecial(place) {
		if err := u.writeInto(h, place); err != nil {
			return err
		}
		return u.only(r)
	}
	fd, err := unix.Open(path.Dir(place), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path.Dir(place), Err: err}
	}
	defer unix.Close(fd)
	if h.Typeflag == tar.TypeLink {
		return errors.New("the tree's top is a link to itself")
	}
	h.Name = path.Base(place)
	if err := u.file(fd, h.Name, h); err != nil {
		return &os.PathError{Op: "write", Path: place, Err: withoutPath(err)}
	}
	return u.only(r)
}

// only ends a tar that has one entry.
func (u *unpacker) only(r io.Reader) error {
	h, err := u.next()
	if err == nil {
		return fault(h.Name, errors.New("it is below a file"))
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	return u.end(r)
}

// isSpecial reports whether a path leads to what is written into, and not replaced:
// a device, a pipe or a socket, or what a process has open, such as /dev/stdout.
func isSpecial(place string) bool {
	info, err := os.Stat(place)
	if err != nil || info.IsDir() {
		return false
	}
	clean := path.Clean(place)
	return !info.Mode().IsRegular() || strings.HasPrefix(clean, "/dev/") || strings.HasPrefix(clean, "/proc/")
}

func (u *unpacker) writeInto(h *tar.Header, place string) error {
	if h.Typeflag != tar.TypeReg {
		return &os.PathError{Op: "write", Path: place, Err: errors.New("only a file's content can be written into it")}
	}
	f, err := os.OpenFile(place, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(f, u.tar.File()); err != nil {
		return err
	}
	return f.Close()
}
