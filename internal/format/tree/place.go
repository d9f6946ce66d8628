package tree

import (
	"archive/tar"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// file unpacks anything but a directory under the name base of a directory.
func (u *unpacker) file(dir int, base string, h *tar.Header) error {
	if err := u.linked.add(h); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeReg:
		err := u.regular(dir, base, h)
		if err == nil && u.Placed != nil {
			u.tellPlaced(dir, base, h)
		}
		return err
	case tar.TypeSymlink:
		return u.publish(dir, base, h, func(name string) error { return unix.Symlinkat(h.Linkname, dir, name) })
	case tar.TypeLink:
		return u.hardLink(dir, base, h)
	case tar.TypeFifo:
		return u.publish(dir, base, h, func(name string) error { return unix.Mknodat(dir, name, unix.S_IFIFO|0o600, 0) })
	case tar.TypeChar, tar.TypeBlock:
		return u.device(dir, base, h)
	}
	return fmt.Errorf("entries of type %q are not for copying", h.Typeflag)
}

func (u *unpacker) device(dir int, base string, h *tar.Header) error {
	if !u.Keep || os.Geteuid() != 0 {
		u.notes.add("%s is left out: a device", h.Name)
		return nil
	}
	kind := uint32(unix.S_IFCHR)
	if h.Typeflag == tar.TypeBlock {
		kind = unix.S_IFBLK
	}
	number := unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor))
	return u.publish(dir, base, h, func(name string) error { return unix.Mknodat(dir, name, kind|0o600, int(number)) })
}

// publish calls create to make a file named base or, where that name is taken, one of
// another name, which is then renamed to base.
func (u *unpacker) publish(dir int, base string, h *tar.Header, create func(name string) error) error {
	err := create(base)
	if errors.Is(err, unix.EEXIST) {
		return u.takePlace(dir, base, func(temporary string) error {
			if err := create(temporary); err != nil {
				return err
			}
			return u.attributesByName(dir, temporary, h)
		})
	}
	if err != nil {
		return err
	}
	return u.attributesByName(dir, base, h)
}

// takePlace calls create to make a file of a temporary name, and renames it to base.
func (u *unpacker) takePlace(dir int, base string, create func(temporary string) error) error {
	if err := u.makeWay(dir, base); err != nil {
		return err
	}
	for range 100 {
		temporary := temporaryName()
		err := create(temporary)
		if errors.Is(err, unix.EEXIST) {
			continue
		}
		switch {
		case err == nil && u.Expect != nil:
			err = u.exchange(dir, temporary, base)
		case err == nil:
			err = unix.Renameat(dir, temporary, dir, base)
		}
		if !errors.Is(err, errKept) {
			unix.Unlinkat(dir, temporary, 0) // also where both were names of one file
		}
		return err
	}
	return unix.EEXIST
}

var errIsDir = errors.New("there is a directory of that name")

// makeWay removes a directory where a file is to be, if it may and that is empty.
func (u *unpacker) makeWay(dir int, base string) error {
	if !isDirAt(dir, base) {
		return nil
	}
	if !u.Replace {
		return errIsDir
	}
	if err := unix.Unlinkat(dir, base, unix.AT_REMOVEDIR); err != nil {
		return fmt.Errorf("%w: %w", errIsDir, err)
	}
	return nil
}
