// Package untar unpacks a tar that is not to be trusted: whatever it says,
// nothing outside the directory is written.
package untar

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"banger/internal/format/tarfile"
)

// Owner is whose what is unpacked will be.
type Owner struct{ UID, GID int }

// Unpack unpacks the tar in r below dir, which is made where absent. Regular
// files, directories, symbolic and hard links get the tar's permissions and
// times, and belong to owner; files in the way are replaced, directories
// joined. Any other kind of entry is an error, as is a name that leads outside;
// what came before it stays.
func Unpack(dir string, owner Owner, r io.Reader) error {
	if err := makeTop(dir, owner); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	u := unpacker{root: root, owner: owner}
	defer u.leave()
	entries := tarfile.NewReader(r)
	for {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := u.unpack(header, entries.File()); err != nil {
			return fmt.Errorf("%q: %w", header.Name, withoutPath(err))
		}
	}
	// The rest is padding that the sender wants to get rid of.
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	return u.finishDirs()
}

// makeTop makes the directory to unpack to; those above it are nobody's.
func makeTop(dir string, owner Owner) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	err := os.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Lchown(dir, owner.UID, owner.GID)
}

type unpacker struct {
	root  *os.Root
	owner Owner
	dirs  []*tar.Header // whose attributes wait until nothing is put in any more
	at    *os.Root      // the directory of the latest entry, kept open for the next
	path  string        // its name in root
}

func (u *unpacker) unpack(h *tar.Header, content *tarfile.File) error {
	h.Name = path.Clean(strings.TrimPrefix(h.Name, "./"))
	switch h.Typeflag {
	case tar.TypeXGlobalHeader:
		return nil
	case tar.TypeDir:
		return u.dir(h)
	case tar.TypeReg, tar.TypeSymlink, tar.TypeLink:
	default:
		return fmt.Errorf("entries of type %q are not for copying", h.Typeflag)
	}
	if err := u.enter(path.Dir(h.Name)); err != nil {
		return err
	}
	name := path.Base(h.Name)
	if err := u.remove(name); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeSymlink:
		if err := u.at.Symlink(h.Linkname, name); err != nil {
			return err
		}
		return u.at.Lchown(name, u.owner.UID, u.owner.GID)
	case tar.TypeLink:
		return u.root.Link(path.Clean(strings.TrimPrefix(h.Linkname, "./")), h.Name)
	default:
		return u.file(name, h, content)
	}
}

// enter opens a directory, which is made where absent.
func (u *unpacker) enter(dir string) error {
	if u.at != nil && u.path == dir {
		return nil
	}
	u.leave()
	if err := u.mkdirAll(dir); err != nil {
		return err
	}
	at, err := u.root.OpenRoot(dir)
	u.at, u.path = at, dir
	return err
}

// mkdirAll makes a directory, and those above it, where absent.
func (u *unpacker) mkdirAll(dir string) error {
	err := u.root.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrNotExist) {
		if err := u.mkdirAll(path.Dir(dir)); err != nil {
			return err
		}
		err = u.root.Mkdir(dir, 0o755)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return u.root.Lchown(dir, u.owner.UID, u.owner.GID)
}

func (u *unpacker) leave() {
	if u.at != nil {
		u.at.Close()
		u.at = nil
	}
}

// remove takes away what has an entry's name, where anything has.
func (u *unpacker) remove(name string) error {
	err := u.at.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// dir makes a directory, in place of anything else of that name: a link there
// could lead elsewhere. It stays writable until the end.
func (u *unpacker) dir(h *tar.Header) error {
	info, err := u.root.Lstat(h.Name)
	if err == nil && !info.IsDir() {
		u.leave() // that may be what the name led to
		if err := u.root.Remove(h.Name); err != nil {
			return err
		}
	}
	if err := u.mkdirAll(h.Name); err != nil {
		return err
	}
	u.dirs = append(u.dirs, h)
	return nil
}

func (u *unpacker) file(name string, h *tar.Header, content *tarfile.File) error {
	f, err := u.at.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = content.Save(f)
	if err == nil {
		err = f.Chown(u.owner.UID, u.owner.GID)
	}
	if err == nil {
		err = f.Chmod(permissions(h))
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return u.at.Chtimes(name, time.Time{}, h.ModTime)
}

// finishDirs gives directories their attributes, the innermost first.
func (u *unpacker) finishDirs() error {
	for _, h := range slices.Backward(u.dirs) {
		info, err := u.root.Lstat(h.Name)
		if err != nil || !info.IsDir() {
			continue // a later entry took its place
		}
		if err := u.root.Chmod(h.Name, permissions(h)); err != nil {
			return err
		}
		if err := u.root.Chtimes(h.Name, time.Time{}, h.ModTime); err != nil {
			return err
		}
	}
	return nil
}

// permissions leaves out the setuid and setgid bits: the owner has changed.
func permissions(h *tar.Header) fs.FileMode { return h.FileInfo().Mode().Perm() }

// withoutPath leaves out the name that the caller says anyway.
func withoutPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return err
}
