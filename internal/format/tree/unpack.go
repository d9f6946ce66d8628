package tree

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"banger/internal/format/tarfile"
)

// UnpackOptions say how a tar is unpacked.
type UnpackOptions struct {
	// Owner is whose all of it is; nil leaves it this process's.
	Owner *Owner
	// Keep keeps owners, setuid and setgid bits, devices and all extended attributes,
	// and gives directories that were there the tar's attributes. Root alone can.
	Keep bool
	// Replace puts files in the way of others out of it, also of another kind;
	// without it they are an error, unless both are no directories.
	Replace bool
	// Guarded takes only hard links to what came before, and leaves room on the
	// disk: for a tar that somebody else made.
	Guarded bool
	Note    func(text string) // hears what was left out; nil is nobody

	// Expect, if not nil, says of each entry what has to be in its place, and refuses
	// those that are not wanted. Changed hears of those whose place has changed, or of
	// which Expect says so by ErrChanged: they are left out.
	Expect  func(h *tar.Header) (Stamp, error)
	Changed func(name string)

	// Placed, if not nil, hears of each regular file that was given its name, with its
	// stamp as far as it is still what the tar says.
	Placed func(name string, executable bool, s Stamp)
}

// Unpack unpacks what Pack wrote to where to says. What follows an end of the tar
// is read and dropped.
func Unpack(r io.Reader, to Target, o UnpackOptions) error {
	u := newUnpacker(r, o)
	defer u.close()
	first, err := u.next()
	if errors.Is(err, io.EOF) {
		err = errors.New("the tar is empty")
	}
	if err != nil {
		return err
	}
	if first.Name != "." {
		return fault(first.Name, errors.New("the tar does not begin with the tree's top"))
	}
	place, err := to.resolve(first.Typeflag == tar.TypeDir)
	if err != nil {
		return err
	}
	if first.Typeflag != tar.TypeDir {
		return u.single(r, first, place)
	}
	if err := u.openTop(first, place); err != nil {
		return err
	}
	return u.rest(r)
}

// UnpackInto unpacks any tar into the directory dir, which with parents is made
// where absent, as are those above it.
func UnpackInto(r io.Reader, dir string, parents bool, o UnpackOptions) error {
	u := newUnpacker(r, o)
	defer u.close()
	if err := u.openDir(dir, parents); err != nil {
		return err
	}
	return u.rest(r)
}

type unpacker struct {
	UnpackOptions
	tar     *tarfile.Reader
	notes   notes
	room    room
	dirs    []*dir // those that are open, each in the one before
	linked  linkables
	entries int
	small   []byte // room for a file's content
	byPath  bool   // open files get names by their paths

	expected Stamp // in the entry's place
}

func newUnpacker(r io.Reader, o UnpackOptions) *unpacker {
	u := &unpacker{UnpackOptions: o, tar: tarfile.NewReader(r), notes: notes{to: o.Note}, linked: newLinkables()}
	if o.Guarded {
		u.tar.LimitRanges()
	}
	return u
}

// next returns the next entry, whose name is checked.
func (u *unpacker) next() (*tar.Header, error) {
	for {
		h, err := u.tar.Next()
		if err != nil {
			return nil, err
		}
		if u.entries++; u.entries > maxEntries {
			return nil, fmt.Errorf("the tar has more than %d entries", maxEntries)
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		name, err := local(h.Name)
		if err != nil {
			return nil, fault(h.Name, err)
		}
		h.Name = name
		return h, nil
	}
}

// rest unpacks the entries that are left.
func (u *unpacker) rest(r io.Reader) error {
	for {
		h, err := u.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := u.guardedEntry(h); err != nil {
			return fault(h.Name, err)
		}
	}
	if err := u.leaveTo(0); err != nil {
		return err
	}
	return u.end(r)
}

// maxPadding is more than a tar has behind its end, in bytes.
const maxPadding = 1 << 20

// end reads what follows the tar: padding that the sender wants to get rid of.
func (u *unpacker) end(r io.Reader) error {
	u.notes.end()
	if !u.Guarded {
		_, err := io.Copy(io.Discard, r)
		return err
	}
	n, err := io.Copy(io.Discard, io.LimitReader(r, maxPadding))
	if n == maxPadding {
		err = errors.New("the tar does not end")
	}
	return err
}

// guardedEntry is entry, if what is expected is there.
func (u *unpacker) guardedEntry(h *tar.Header) (err error) {
	if u.Expect == nil || h.Name == "." {
		return u.entry(h)
	}
	if u.expected, err = u.Expect(h); err == nil {
		err = u.entry(h)
	}
	if errors.Is(err, ErrChanged) || errors.Is(err, errIsDir) || errors.Is(err, errNoDir) {
		u.Changed(h.Name)
		return nil
	}
	return err
}

// entry unpacks one below the top.
func (u *unpacker) entry(h *tar.Header) error {
	if h.Typeflag == tar.TypeDir {
		return u.enterDir(h)
	}
	if h.Name == "." {
		return errors.New("it is the tree's top, and no directory")
	}
	parent, base := path.Split(h.Name)
	at, err := u.enter(strings.TrimSuffix(parent, "/"))
	if err != nil {
		return err
	}
	return u.file(at.fd, base, h)
}
