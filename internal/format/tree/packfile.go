package tree

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"banger/internal/format/tarfile"
)

// smallFile is how much of a file is read before its header is written.
const smallFile = 128 << 10

// maxUnsized is how much is read of a file that does not say how much it has.
const maxUnsized = 16 << 20

var errUnsized = fmt.Errorf("it has more than %d MiB, and does not say how much", maxUnsized>>20)

// file packs a regular file.
func (p *packer) file(fd int, name string, st *unix.Stat_t) error {
	if err := p.steady(name, st); err != nil {
		return err
	}
	h := p.header(name, st)
	if p.isLink(h, st) {
		return p.out.Add(h, nil)
	}
	if p.shown || st.Size == 0 && name == "." { // perhaps one that another file system shows
		return p.unsized(fd, h)
	}
	if err := p.xattrs(fd, h); err != nil {
		return err
	}
	h.Size = st.Size
	switch {
	case st.Size <= smallFile && st.Blocks*512 >= st.Size:
		if p.small == nil {
			p.small = make([]byte, 0, smallFile)
		}
		content, err := readUpTo(fd, p.small[:0], int(st.Size))
		if err == nil {
			err = p.steadyStill(fd, st)
		}
		if err != nil {
			return err
		}
		return p.bytes(h, content)
	}
	return p.large(fd, h)
}

// unsized packs a file that does not say how much it has.
func (p *packer) unsized(fd int, h *tar.Header) error {
	content, err := readUpTo(fd, nil, maxUnsized+os.Getpagesize()) // some have whole records only
	if err == nil && len(content) > maxUnsized {
		err = errUnsized
	}
	if err != nil {
		return p.unread(h.Name, err)
	}
	return p.bytes(h, content)
}

// unread is what it means that something cannot be read. Below a directory of what the
// kernel shows there is always such: it is left out.
func (p *packer) unread(name string, err error) error {
	if !p.shown || name == "." {
		return fault(name, err)
	}
	p.notes.add("%s is left out: %v", name, withoutPath(err))
	return nil
}

func (p *packer) bytes(h *tar.Header, content []byte) error {
	h.Size = int64(len(content))
	return p.out.Add(h, bytes.NewReader(content))
}

// large packs a file of the size that its header says, though it may grow
// meanwhile.
func (p *packer) large(fd int, h *tar.Header) error {
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(own), h.Name)
	defer f.Close()
	content, err := tarfile.Open(f, h.Size)
	if err != nil {
		return err
	}
	err = p.out.Add(h, content)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("it shrank from %d bytes while it was read", h.Size)
	}
	return err
}

// readUpTo appends what a file has to buf, up to a number of bytes.
func readUpTo(fd int, buf []byte, most int) ([]byte, error) {
	for len(buf) < most {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, min(most-len(buf), 64<<10))
		}
		n, err := unix.Read(fd, buf[len(buf):min(cap(buf), most)])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil, err
		case n == 0:
			return buf, nil
		}
		buf = buf[:len(buf)+n]
	}
	return buf, nil
}

// xattrs adds a file's extended attributes to its header.
func (p *packer) xattrs(fd int, h *tar.Header) error {
	const most = 64 << 10 // that Linux allows
	if p.xattr == nil {
		p.xattr = make([]byte, 2*most)
	}
	list, value := p.xattr[:most], p.xattr[most:]
	n, err := unix.Flistxattr(fd, list)
	if n == 0 || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("extended attributes: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00") {
		n, err := unix.Fgetxattr(fd, name, value)
		if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
			continue
		}
		if err != nil {
			return fmt.Errorf("extended attribute %q: %w", name, err)
		}
		if h.PAXRecords == nil {
			h.PAXRecords = map[string]string{}
		}
		h.PAXRecords[xattrPrefix+name] = string(value[:n])
	}
	return nil
}
