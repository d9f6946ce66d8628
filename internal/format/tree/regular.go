package tree

import (
	"archive/tar"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// temporaryName is one that no file has.
func temporaryName() string { return ".banger-" + rand.Text()[:12] }

// regular unpacks a regular file: one of no name, where the file system has those,
// until all of it is there.
func (u *unpacker) regular(dir int, base string, h *tar.Header) error {
	if err := u.room.take(dir, u.tar.File().Stored(), u.Guarded); err != nil {
		return err
	}
	// Nobody else sees it yet, so that its mode can be its last one.
	mode := u.mode(h)&0o777 | 0o200
	fd, err := unix.Openat(dir, ".", unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, mode)
	if err != nil {
		return u.regularNamed(dir, base, h)
	}
	defer unix.Close(fd)
	if err := u.fill(fd, h); err != nil {
		return err
	}
	link := func(name string) error { return u.linkOpen(fd, dir, name) }
	err = link(base)
	if errors.Is(err, unix.EEXIST) {
		err = u.takePlace(dir, base, link)
	}
	return err
}

// linkOpen gives an open file a name. By its descriptor alone it is quicker: that is
// for root, and from Linux 6.10 on for all who opened it.
func (u *unpacker) linkOpen(fd, dir int, name string) error {
	if !u.byPath {
		err := unix.Linkat(fd, "", dir, name, unix.AT_EMPTY_PATH)
		if !errors.Is(err, unix.ENOENT) {
			return err
		}
		u.byPath = true
	}
	return unix.Linkat(unix.AT_FDCWD, fdPath(fd), dir, name, unix.AT_SYMLINK_FOLLOW)
}

// regularNamed is regular where a file has to have a name.
func (u *unpacker) regularNamed(dir int, base string, h *tar.Header) error {
	return u.takePlace(dir, base, func(temporary string) error {
		fd, err := unix.Openat(dir, temporary, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return err
		}
		if err := u.fill(fd, h); err != nil {
			unix.Close(fd)
			return err
		}
		return unix.Close(fd)
	})
}

// fill writes a file's content and attributes.
func (u *unpacker) fill(fd int, h *tar.Header) error {
	if err := u.content(fd, h.Size); err != nil {
		return err
	}
	return u.attributes(fd, h)
}

func (u *unpacker) content(fd int, size int64) error {
	content := u.tar.File()
	if size == 0 {
		return nil
	}
	if size > smallFile || content.Stored() != size {
		own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return err
		}
		f := os.NewFile(uintptr(own), "")
		defer f.Close()
		return content.Save(f)
	}
	if u.small == nil {
		u.small = make([]byte, smallFile)
	}
	data := u.small[:size]
	if _, err := io.ReadFull(content, data); err != nil {
		return err
	}
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		data = data[max(n, 0):]
	}
	return nil
}

// hardLink gives a file that was unpacked before another name.
func (u *unpacker) hardLink(dir int, base string, h *tar.Header) error {
	target, err := local(h.Linkname)
	if err != nil {
		return fmt.Errorf("link to %q: %w", h.Linkname, err)
	}
	if u.Guarded && !u.linked.has(target) {
		return fmt.Errorf("link to %q, which did not come before as a file of several names", target)
	}
	from, name, done, err := u.find(target)
	if err != nil {
		return fmt.Errorf("link to %q: %w", target, err)
	}
	defer done()
	link := func(as string) error { return unix.Linkat(from, name, dir, as, 0) }
	err = link(base)
	if errors.Is(err, unix.EEXIST) {
		err = u.takePlace(dir, base, link)
	}
	if err != nil {
		return fmt.Errorf("link to %q: %w", target, err)
	}
	return nil
}
