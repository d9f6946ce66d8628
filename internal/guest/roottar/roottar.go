// Package roottar writes the guest's root filesystem as a tar: what an image
// is made of.
//
// It writes what the root's own file system holds and nothing that is mounted
// over it, and leaves out what is the machine's and not the image's: its
// identity, logs, caches and what was temporary. It changes nothing.
package roottar

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"banger/internal/agentapi"
	"banger/internal/format/tarfile"
	"banger/internal/guest/identity"
	"banger/internal/guest/trust"

	"golang.org/x/sys/unix"
)

// Write writes the root as a tar to w: names sorted, hard links kept, sockets
// left out.
func Write(w io.Writer, s agentapi.Settings) error {
	views, err := openViews(s.Root.Image)
	if err != nil {
		return err
	}
	defer views.close()
	buffered := bufio.NewWriterSize(w, 256<<10)
	p := &packer{
		tree: views.root.path, image: views.image.path, live: "/", settings: s,
		out: tarfile.NewWriter(buffered), links: map[uint64]string{},
	}
	if err := p.dir("."); err != nil {
		return err
	}
	if err := p.out.Close(); err != nil {
		return err
	}
	return buffered.Flush()
}

// packer writes a tree.
type packer struct {
	tree     string // what to pack
	image    string // the image as it was before
	live     string // the tree with all that is mounted on it
	settings agentapi.Settings
	out      *tarfile.Writer
	links    map[uint64]string // the first name of an inode with several
}

// dir packs the directory name and what is below it.
func (p *packer) dir(name string) error {
	if err := p.entry(name); err != nil {
		return err
	}
	if emptied(name) {
		return nil
	}
	entries, err := os.ReadDir(at(p.tree, name)) // sorted
	if err != nil {
		return p.fault(name, err)
	}
	for _, e := range entries {
		child := path.Join(name, e.Name())
		switch {
		case leftOut(child) || p.isMountPoint(child):
		case e.IsDir():
			err = p.dir(child)
		default:
			err = p.entry(child)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isMountPoint reports whether name was made for something to be mounted on: the
// image does not have it.
func (p *packer) isMountPoint(name string) bool {
	var live, tree unix.Stat_t
	if unix.Lstat(at(p.live, name), &live) != nil || unix.Lstat(at(p.tree, name), &tree) != nil {
		return false
	}
	return live.Dev != tree.Dev && !exists(at(p.image, name))
}

// entry packs one file of any kind. What is the VM's own gives way to what the
// image had.
func (p *packer) entry(name string) error {
	if trust.IsOwn(p.tree, name) {
		return nil
	}
	if p.isVMsOwn(name) {
		return p.fault(name, p.original(name))
	}
	file := at(p.tree, name)
	info, err := os.Lstat(file)
	if err == nil && info.Mode().Type() != fs.ModeSocket {
		err = p.add(name, file, info)
	}
	return p.fault(name, err)
}

// isVMsOwn reports whether the file name is what the agent made of it. What
// cannot be read counts as empty.
func (p *packer) isVMsOwn(name string) bool {
	isBundle := trust.IsBundle(name)
	if !isBundle && !identity.Concerns(name) {
		return false
	}
	old, _ := os.ReadFile(at(p.image, name))
	now, _ := os.ReadFile(at(p.tree, name))
	if isBundle {
		return trust.With(string(old), p.settings.Secrets) == string(now)
	}
	return identity.IsOwn(name, string(old), string(now), p.settings)
}

// original packs a file of the image as it was, where it had one.
func (p *packer) original(name string) error {
	file := at(p.image, name)
	info, err := os.Lstat(file)
	if os.IsNotExist(err) {
		return nil
	}
	if err == nil {
		info.Sys().(*syscall.Stat_t).Nlink = 1 // numbers of another file system
		err = p.add(name, file, info)
	}
	return err
}

func (p *packer) add(name, file string, info fs.FileInfo) error {
	h, err := p.header(name, file, info)
	if err != nil {
		return err
	}
	if h.Typeflag == tar.TypeReg && truncated(name) {
		h.Size = 0
	}
	if h.Typeflag != tar.TypeReg || h.Size == 0 {
		return p.out.Add(h, nil)
	}
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	content, err := tarfile.Open(f, h.Size)
	if err != nil {
		return err
	}
	return p.out.Add(h, content)
}

// header describes file. Owners are numbers: names are what the image's own
// /etc/passwd makes of them.
func (p *packer) header(name, file string, info fs.FileInfo) (*tar.Header, error) {
	target := ""
	if info.Mode().Type() == fs.ModeSymlink {
		var err error
		if target, err = os.Readlink(file); err != nil {
			return nil, err
		}
	}
	h, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return nil, err
	}
	h.Name, h.Uname, h.Gname, h.Format = name, "", "", tar.FormatPAX
	if info.IsDir() {
		h.Name = strings.TrimSuffix(name, "/") + "/"
	}
	if h.PAXRecords, err = xattrs(file); err != nil {
		return nil, err
	}
	stat := info.Sys().(*syscall.Stat_t)
	if stat.Nlink > 1 && !info.IsDir() {
		if first, seen := p.links[stat.Ino]; seen {
			h.Typeflag, h.Linkname, h.Size, h.PAXRecords = tar.TypeLink, first, 0, nil
		} else {
			p.links[stat.Ino] = name
		}
	}
	return h, nil
}

func (p *packer) fault(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("pack /%s: %w", name, err)
}

// xattrs returns file's extended attributes as PAX records have them.
func xattrs(file string) (map[string]string, error) {
	names, err := listXattrs(file)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	records := map[string]string{}
	value := make([]byte, 64<<10) // the most that Linux allows
	for _, name := range names {
		n, err := unix.Lgetxattr(file, name, value)
		if err != nil {
			return nil, fmt.Errorf("extended attribute %s: %w", name, err)
		}
		records["SCHILY.xattr."+name] = string(value[:n])
	}
	return records, nil
}

func listXattrs(file string) ([]string, error) {
	list := make([]byte, 64<<10)
	n, err := unix.Llistxattr(file, list)
	if errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names := strings.Split(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00")
	return slices.DeleteFunc(names, func(name string) bool { return name == "" }), nil
}

// at is the path of a tree's file. The tree may be a link to a directory, which
// is followed for "." too.
func at(tree, name string) string { return tree + "/" + name }

func exists(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}
