package tree

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
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

	was func(name string) Stamp // what is expected in files' places; directories are then without what is in them
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
		return fault(name, err)
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
			return fault(name, err)
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
		return err
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
			return fault(name, err)
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

// smallFile is how much of a file is read before its header is written.
const smallFile = 128 << 10

// maxUnsized is how much is read of a file that does not say how much it has.
const maxUnsized = 16 << 20

// file packs a regular file.
func (p *packer) file(fd int, name string, st *unix.Stat_t) error {
	h := p.header(name, st)
	if p.isLink(h, st) {
		return p.out.Add(h, nil)
	}
	if err := p.xattrs(fd, h); err != nil {
		return err
	}
	h.Size = st.Size
	switch {
	case st.Size == 0 && name == ".": // perhaps one of /proc
		content, err := readUpTo(fd, nil, maxUnsized)
		if err != nil {
			return err
		}
		return p.bytes(h, content)
	case st.Size <= smallFile && st.Blocks*512 >= st.Size:
		if p.small == nil {
			p.small = make([]byte, 0, smallFile)
		}
		content, err := readUpTo(fd, p.small[:0], int(st.Size))
		if err != nil {
			return err
		}
		return p.bytes(h, content)
	}
	return p.large(fd, h)
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

// isKernels reports whether the file system mounted at a directory shows the
// kernel, and keeps no files.
func isKernels(dir int, base string) bool {
	fd, err := unix.Openat(dir, base, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var st unix.Statfs_t
	if unix.Fstatfs(fd, &st) != nil {
		return false
	}
	switch st.Type {
	case unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.DEVPTS_SUPER_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC,
		unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC, unix.BPF_FS_MAGIC, unix.PSTOREFS_MAGIC, unix.SELINUX_MAGIC,
		unix.BINFMTFS_MAGIC, unix.EFIVARFS_MAGIC:
		return true
	}
	return false
}

// fault names a file in an error, once.
func fault(name string, err error) error {
	if err == nil || errors.As(err, new(*FileError)) {
		return err
	}
	return &FileError{name, err}
}

// FileError is an error about one file of a tree.
type FileError struct {
	Name string // in the tree
	Err  error
}

func (e *FileError) Error() string { return fmt.Sprintf("%q: %v", e.Name, withoutPath(e.Err)) }
func (e *FileError) Unwrap() error { return e.Err }

// withoutPath leaves out a name that is said anyway.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}
