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
	// Most of what has changed is left alone here, and never has the other name.
	if is := stampAt(dir, base); is != (Stamp{}) && is != u.expected {
		return ErrChanged
	}
	placed := stampAt(dir, temporary)
	err := unix.Renameat2(dir, temporary, dir, base, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.ENOENT) { // removed meanwhile
		return unix.Renameat2(dir, temporary, dir, base, unix.RENAME_NOREPLACE)
	}
	if errors.Is(err, unix.EINVAL) { // a file system that exchanges nothing
		return unix.Renameat(dir, temporary, dir, base)
	}
	if err != nil {
		return err
	}
	if stampAt(dir, temporary).same(u.expected) {
		return nil
	}
	return takeBack(dir, temporary, base, placed)
}

// takeBack gives a file, which has the name temporary, its name base back, where another
// one was put that is ours. What is put there meanwhile is later than the file, and
// so stays.
func takeBack(dir int, temporary, base string, ours Stamp) error {
	for put := ours; ; {
		theirs := stampAt(dir, temporary)
		err := unix.Renameat2(dir, temporary, dir, base, unix.RENAME_EXCHANGE)
		if errors.Is(err, unix.ENOENT) { // ours was removed
			err = unix.Renameat2(dir, temporary, dir, base, unix.RENAME_NOREPLACE)
		}
		if err != nil {
			return fmt.Errorf("%w: %s: %w", errKept, temporary, err)
		}
		if is := stampAt(dir, temporary); is == (Stamp{}) || is.same(put) {
			return ErrChanged
		}
		put = theirs
	}
}

// wasKey is the PAX record of what is expected in an entry's place.
const wasKey = "BANGER.was"

// record is a stamp as wasKey has it.
func (s Stamp) record() string { return fmt.Sprintf("%d %d %d %d", s.Size, s.MTime, s.CTime, s.Inode) }

// Recorded is an Expect for what PackNames wrote. Where a tar says nothing of an entry's
// place, nothing is to be there.
func Recorded(h *tar.Header) (s Stamp, err error) {
	if was := h.PAXRecords[wasKey]; was != "" && h.Typeflag != tar.TypeDir {
		_, err = fmt.Sscan(was, &s.Size, &s.MTime, &s.CTime, &s.Inode)
	}
	return s, err
}

// PackNames writes the named files and directories of the directory top as a tar that
// says what is expected in their places, which was returns. Directories are without what
// is in them, and nothing is reached through a link. A file that is none any more of
// which is returned the stamp, or changes while it is read, is left out: somebody may be
// in the midst of writing it.
func PackNames(w io.Writer, top string, names []string, is, was func(name string) Stamp) error {
	p := &packer{out: tarfile.NewWriter(w), links: map[inode]string{}, is: is, was: was}
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
		if err != nil && !errors.Is(err, ErrChanged) {
			return err
		}
	}
	return p.out.Close()
}

// tellPlaced tells of a file that was put under a name, with its stamp if that is still
// what the tar says.
func (u *unpacker) tellPlaced(dir int, base string, h *tar.Header) {
	var st unix.Stat_t
	err := unix.Fstatat(dir, base, &st, unix.AT_SYMLINK_NOFOLLOW)
	s := StampOf(&st)
	if err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || s.Size != h.Size || s.MTime != h.ModTime.UnixNano() {
		s = Stamp{}
	}
	u.Placed(h.Name, st.Mode&0o100 != 0, s)
}

func stampAt(dir int, base string) Stamp {
	var st unix.Stat_t
	if unix.Fstatat(dir, base, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return Stamp{}
	}
	return StampOf(&st)
}
