package tree

import (
	"archive/tar"
	"errors"
	"io"
	"path"

	"banger/internal/format/tarfile"
)

// Rename copies a tar that Pack wrote with another name for the tree's top, which
// the names of all entries begin with then. The tar is not to be trusted: what
// comes out has no name that leads outside.
func Rename(w io.Writer, r io.Reader, top string) error {
	u := newUnpacker(r, UnpackOptions{Guarded: true})
	out := tarfile.NewWriter(w)
	for {
		h, err := u.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := rename(h, top); err != nil {
			return fault(h.Name, err)
		}
		if err := out.Add(h, u.tar.File()); err != nil {
			return err
		}
	}
	if err := out.Close(); err != nil {
		return err
	}
	return u.end(r)
}

func rename(h *tar.Header, top string) error {
	if h.Typeflag == tar.TypeLink {
		target, err := local(h.Linkname)
		if err != nil {
			return err
		}
		h.Linkname = path.Join(top, target)
	}
	h.Name = path.Join(top, h.Name)
	if h.Typeflag == tar.TypeDir {
		h.Name += "/"
	}
	delete(h.PAXRecords, linkedKey)
	h.Format = tar.FormatPAX
	return nil
}
