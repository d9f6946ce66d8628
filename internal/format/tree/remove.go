package tree

import (
	"errors"
	"path"

	"golang.org/x/sys/unix"
)

// Remover removes files below a directory, through no link.
type Remover struct {
	u    *unpacker
	name string // of the directory that is open
	fd   int
	done func()
}

// NewRemover opens the directory top. The caller closes it.
func NewRemover(top string) (*Remover, error) {
	r := &Remover{u: newUnpacker(nil, UnpackOptions{})}
	if err := r.u.openDir(top, false); err != nil {
		return nil, err
	}
	r.name, r.fd, r.done = ".", r.u.dirs[0].fd, func() {}
	return r, nil
}

// Close closes what is open.
func (r *Remover) Close() {
	r.done()
	r.u.close()
}

// Remove removes a file if it is what was expected, or where none was a directory that
// is empty. The error is ErrChanged where it is not.
func (r *Remover) Remove(name string, expected Stamp) error {
	name, err := local(name)
	if err != nil {
		return err
	}
	err = r.open(name)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil // what it was in is another file now, so that it is gone
	}
	if err != nil {
		return gone(err)
	}
	base := path.Base(name)
	if expected == (Stamp{}) {
		err = unix.Unlinkat(r.fd, base, unix.AT_REMOVEDIR)
		if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.ENOTDIR) {
			return ErrChanged
		}
		return gone(err)
	}
	switch stampAt(r.fd, base) {
	case expected:
		return r.file(base, expected)
	case Stamp{}:
		return nil // it is gone
	}
	return ErrChanged
}

// open has the directory open that a file is in: mostly that of the file before.
func (r *Remover) open(name string) error {
	in := path.Dir(name)
	if in == r.name {
		return nil
	}
	fd, _, done, err := r.u.find(name)
	if err != nil {
		return err
	}
	r.done()
	r.name, r.fd, r.done = in, fd, done
	return nil
}

// file removes one that was what is expected a moment ago.
func (r *Remover) file(base string, expected Stamp) error {
	temporary := temporaryName()
	if err := unix.Renameat2(r.fd, base, r.fd, temporary, unix.RENAME_NOREPLACE); err != nil {
		return gone(err)
	}
	if stampAt(r.fd, temporary).same(expected) {
		return unix.Unlinkat(r.fd, temporary, 0)
	}
	if err := unix.Renameat2(r.fd, temporary, r.fd, base, unix.RENAME_NOREPLACE); err != nil {
		return err // and what was there keeps its other name
	}
	return ErrChanged
}

// gone takes what is not there for removed.
func gone(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}
