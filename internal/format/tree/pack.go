package tree

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/format/tarfile"
)

// PackOptions say how a tree is packed.
type PackOptions struct {
	Follow bool              // pack what a link at the tree's top leads to, and not the link
	Note   func(text string) // hears what was left out; nil is nobody
}

// Pack writes the tree at file as a tar to w: what is there as ".", and what is
// below it by its names from there, each directory before what is in it. A slash
// at the end of file says that it is a directory, and follows a link to one. What
// is removed meanwhile is left out, as are sockets and what the kernel shows as
// files.
func Pack(w io.Writer, file string, o PackOptions) error {
	p := &packer{out: tarfile.NewWriter(w), links: map[inode]string{}, notes: notes{to: o.Note}}
	if err := p.top(file, o.Follow); err != nil {
		return err
	}
	p.notes.end()
	return p.out.Close()
}

// inode is a file, whatever its names.
type inode struct{ dev, ino uint64 }

type packer struct {
	out   *tarfile.Writer
	links map[inode]string // the first name of a file with several
	notes notes
	small []byte // room for a file's content
	xattr []byte // room for extended attributes
	shown bool   // all of it is what the kernel shows of itself

	// Of PackNames: what a file is to be still, if that is known, and what is expected
	// in its place. Directories are then without what is in them.
	is, was func(name string) Stamp
}

// steady returns ErrChanged for a file that is not what it is to be. fd and st are its.
func (p *packer) steady(name string, st *unix.Stat_t) error {
	if p.is == nil {
		return nil
	}
	if is := p.is(name); is != (Stamp{}) && is != StampOf(st) {
		return ErrChanged
	}
	return nil
}

// steadyStill returns ErrChanged for a file that has changed since.
func (p *packer) steadyStill(fd int, was *unix.Stat_t) error {
	if p.is == nil {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if StampOf(&st) != StampOf(was) {
		return ErrChanged
	}
	return nil
}

// top packs what the tree begins with.
func (p *packer) top(file string, follow bool) error {
	dir, isDir := strings.CutSuffix(file, "/")
	isDir = isDir || strings.HasSuffix(file, "/.") || file == "."
	how := unix.O_NOFOLLOW
	if follow || isDir {
		how = 0
	}
	at, err := unix.Open(file, unix.O_PATH|unix.O_CLOEXEC|how, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: file, Err: err}
	}
	defer unix.Close(at)
	p.shown = IsKernels(at)
	var st unix.Stat_t
	if err := unix.Fstat(at, &st); err != nil {
		return &os.PathError{Op: "stat", Path: file, Err: err}
	}
	if isDir && st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return &os.PathError{Op: "open", Path: dir, Err: unix.ENOTDIR}
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return p.link(at, "", ".", &st)
	}
	// By a name that is this file's and no other's.
	return p.entry(unix.AT_FDCWD, fdPath(at), ".", &st, 0)
}

// child packs the file that a directory has by a name.
func (p *packer) child(dir int, base, name string, dev uint64) error {
	var st unix.Stat_t
	err := unix.Fstatat(dir, base, &st, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil // removed since it was listed
	case err != nil:
		return p.unread(name, err)
	case st.Mode&unix.S_IFMT == unix.S_IFLNK:
		return p.link(dir, base, name, &st)
	case st.Mode&unix.S_IFMT == unix.S_IFDIR && st.Dev != dev && p.was == nil && isKernels(dir, base):
		p.notes.add("%s is left out: the kernel's own", name)
		return nil
	}
	err = p.entry(dir, base, name, &st, unix.O_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ELOOP) {
		return nil // removed, or another file by now
	}
	return err
}

// entry packs anything but a symbolic link.
func (p *packer) entry(dir int, base, name string, st *unix.Stat_t, how int) error {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFDIR:
		fd, err := unix.Openat(dir, base, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC|how, 0)
		if err != nil {
			return p.unread(name, err)
		}
		if err := unix.Fstat(fd, st); err != nil {
			unix.Close(fd)
			return fault(name, err)
		}
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			return p.dir(fd, name, st)
		}
		defer unix.Close(fd)
		return fault(name, p.file(fd, name, st))
	case unix.S_IFSOCK:
		p.notes.add("%s is left out: a socket", name)
		return nil
	}
	h := p.header(name, st)
	if p.isLink(h, st) {
		return p.out.Add(h, nil)
	}
	h.Devmajor, h.Devminor = int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
	return p.out.Add(h, nil)
}

// dir packs a directory, which it closes.
func (p *packer) dir(fd int, name string, st *unix.Stat_t) error {
	d := os.NewFile(uintptr(fd), name)
	defer d.Close()
	if strings.Count(name, "/") >= maxDepth-1 {
		return fault(name, errDeep)
	}
	h := p.header(name, st)
	if name != "." {
		h.Name += "/"
	}
	if err := p.xattrs(fd, h); err != nil {
		return fault(name, err)
	}
	if err := p.out.Add(h, nil); err != nil || p.was != nil {
		return err
	}
	names, err := d.Readdirnames(-1)
	if err != nil {
		return p.unread(name, err)
	}
	slices.Sort(names)
	for _, base := range names {
		if err := p.child(fd, base, path.Join(name, base), st.Dev); err != nil {
			return err
		}
	}
	return nil
}

// link packs a symbolic link; base is "" for the one that dir is.
func (p *packer) link(dir int, base, name string, st *unix.Stat_t) error {
	h := p.header(name, st)
	if !p.isLink(h, st) {
		target := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(dir, base, target)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL) {
			return nil // removed, or another file by now
		}
		if err != nil {
			return p.unread(name, err)
		}
		h.Linkname = string(target[:n])
	}
	return p.out.Add(h, nil)
}

// header describes a file; what its kind needs beside is the caller's.
func (p *packer) header(name string, st *unix.Stat_t) *tar.Header {
	h := &tar.Header{
		Typeflag: kinds[st.Mode&unix.S_IFMT], Name: name, Mode: int64(st.Mode & 0o7777),
		Uid: int(st.Uid), Gid: int(st.Gid), ModTime: time.Unix(st.Mtim.Unix()), Format: tar.FormatPAX,
	}
	if p.was != nil {
		h.PAXRecords = map[string]string{wasKey: p.was(name).record()}
	}
	return h
}

var kinds = map[uint32]byte{
	unix.S_IFREG: tar.TypeReg, unix.S_IFDIR: tar.TypeDir, unix.S_IFLNK: tar.TypeSymlink,
	unix.S_IFIFO: tar.TypeFifo, unix.S_IFCHR: tar.TypeChar, unix.S_IFBLK: tar.TypeBlock,
}

// isLink makes a header one of a link where its file was packed by another name
// before, and reports whether it was.
func (p *packer) isLink(h *tar.Header, st *unix.Stat_t) bool {
	if st.Nlink < 2 || p.was != nil {
		return false
	}
	file := inode{st.Dev, st.Ino}
	if first, seen := p.links[file]; seen {
		h.Typeflag, h.Linkname = tar.TypeLink, first
		return true
	}
	if len(p.links) < maxLinked { // and those beyond are packed each by itself
		p.links[file] = h.Name
		h.PAXRecords = map[string]string{linkedKey: "1"}
	}
	return false
}
