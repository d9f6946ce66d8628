package tree

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/format/tarfile"
)

// Stamp is what a file's status says of whether it changes. The zero Stamp is that
// of no file.
type Stamp struct {
	Size  int64
	MTime int64 // nanoseconds since 1970
	CTime int64
	Inode uint64
}

// StampOf is a file's stamp.
func StampOf(st *unix.Stat_t) Stamp {
	return Stamp{st.Size, st.Mtim.Nano(), st.Ctim.Nano(), st.Ino}
}

// same reports whether a file whose name changes is the one that a stamp was taken
// of: that sets its CTime.
func (s Stamp) same(other Stamp) bool {
	other.CTime = s.CTime
	return s == other
}

// ErrChanged says that a file is no more what it was when it was looked at.
var ErrChanged = errors.New("it has changed meanwhile")

// errKept says that a file kept the name that was for a moment.
var errKept = errors.New("it has the name of a temporary file now")

// exchange puts the file temporary in base's place if that is what was expected, and
// removes that.
func (u *unpacker) exchange(dir int, temporary, base string) error {
	if u.expected == (Stamp{}) {
		return ErrChanged
	}
	err := unix.Renameat2(dir, temporary, dir, base, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.ENOENT) { // removed meanwhile
		return unix.Renameat2(dir, temporary, dir, base, unix.RENAME_NOREPLACE)
	}
	if errors.Is(err, unix.EINVAL) { // a file system that exchanges nothing
		if stampAt(dir, base).same(u.expected) {
			return unix.Renameat(dir, temporary, dir, base)
		}
		return ErrChanged
	}
	if err != nil {
		return err
	}
	if stampAt(dir, temporary).same(u.expected) {
		return nil
	}
	if err := unix.Renameat2(dir, temporary, dir, base, unix.RENAME_EXCHANGE); err != nil {
		return fmt.Errorf("%w: %s: %w", errKept, temporary, err)
	}
	return ErrChanged
}

// wasKey is the PAX record of what is expected in an entry's place.
const wasKey = "BANGER.was"

// record is a stamp as wasKey has it.
func (s Stamp) record() string { return fmt.Sprintf("%d %d %d %d", s.Size, s.MTime, s.CTime, s.Inode) }

// Recorded is an Expect for what PackNames wrote.
func Recorded(h *tar.Header) (s Stamp, err error) {
	if h.Typeflag != tar.TypeDir {
		_, err = fmt.Sscan(h.PAXRecords[wasKey], &s.Size, &s.MTime, &s.CTime, &s.Inode)
	}
	return s, err
}

// PackNames writes the named files and directories of the directory top as a tar
// that says what is expected in their places. Directories are without what is in
// them, and nothing is reached through a link.
func PackNames(w io.Writer, top string, names []string, was func(name string) Stamp) error {
	p := &packer{out: tarfile.NewWriter(w), links: map[inode]string{}, was: was}
	u := newUnpacker(nil, UnpackOptions{})
	defer u.close()
	if err := u.openDir(top, false); err != nil {
		return err
	}
	if err := p.out.Add(&tar.Header{Typeflag: tar.TypeDir, Name: ".", Mode: 0o755, ModTime: time.Now()}, nil); err != nil {
		return err
	}
	for _, name := range names {
		name, err := local(name)
		if err != nil {
			return fault(name, err)
		}
		dir, base, done, err := u.find(name)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
			continue // removed since it was listed
		}
		if err != nil {
			return fault(name, err)
		}
		err = p.child(dir, base, name, 0)
		done()
		if err != nil {
			return err
		}
	}
	return p.out.Close()
}

// tellPlaced tells of a file that was put under a name, unless that is of another one
// by now.
func (u *unpacker) tellPlaced(dir int, base string, h *tar.Header) {
	var st unix.Stat_t
	if unix.Fstatat(dir, base, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return
	}
	if s := StampOf(&st); s.Size == h.Size && s.MTime == h.ModTime.UnixNano() {
		u.Placed(h.Name, st.Mode&0o100 != 0, s)
	}
}

func stampAt(dir int, base string) Stamp {
	var st unix.Stat_t
	if unix.Fstatat(dir, base, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return Stamp{}
	}
	return StampOf(&st)
}

// Remove removes a file below the directory top, through no link, if it is what was
// expected, or a directory that is empty. The error is ErrChanged where it is not.
func Remove(top, name string, expected Stamp) error {
	name, err := local(name)
	if err != nil {
		return err
	}
	u := newUnpacker(nil, UnpackOptions{})
	defer u.close()
	if err := u.openDir(top, false); err != nil {
		return err
	}
	dir, base, done, err := u.find(name)
	if err != nil {
		return gone(err)
	}
	defer done()
	if isDirAt(dir, base) {
		err := unix.Unlinkat(dir, base, unix.AT_REMOVEDIR)
		if errors.Is(err, unix.ENOTEMPTY) {
			return ErrChanged
		}
		return gone(err)
	}
	temporary := temporaryName()
	if err := unix.Renameat2(dir, base, dir, temporary, unix.RENAME_NOREPLACE); err != nil {
		return gone(err)
	}
	if stampAt(dir, temporary).same(expected) {
		return unix.Unlinkat(dir, temporary, 0)
	}
	if err := unix.Renameat2(dir, temporary, dir, base, unix.RENAME_NOREPLACE); err != nil {
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
