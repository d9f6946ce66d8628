package rootfs

import (
	"archive/tar"
	"context"
	"errors"
	"io"
)

// FromTar is the Stream of a tar as mmdebstrap or docker export write it:
// POSIX with PAX records or GNU, plain or compressed as Decompress understands.
//
// It refuses names with "..", of entries and of hard links' targets, and an archive without its end mark, which has been cut off; one
// block of zeros is a mark. A good
// one it reads to the very end, so that a hashing r sees every byte. Where the
// Stream ends with an error, r may still be in use for a moment. The error is a
// *LimitError where the tar holds more than it may.
func FromTar(ctx context.Context, r io.Reader, limits Limits) Stream {
	return func(yield func(*tar.Header, io.Reader) error) error {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		open := func() (io.ReadCloser, error) { return Decompress(r) }
		a, links := &archive{src: readAhead(ctx, open), budget: &budget{limits: limits}}, symlinks{}
		err := a.each(func(hdr *tar.Header, content io.Reader) error {
			if err := links.place(hdr); err != nil {
				return err
			}
			return yield(hdr, content)
		})
		switch {
		case err != nil:
			return err
		case a.entries == 0:
			return errors.New("a tar without entries")
		case !a.marked:
			return errors.New("truncated: the tar's end mark is missing")
		}
		return nil
	}
}

// symlinks are the targets of the symbolic links seen so far: what one needs
// to know of a tar to resolve the paths that follow.
type symlinks map[string]string

// place resolves the directories in a header's names.
func (s symlinks) place(hdr *tar.Header) (err error) {
	if hdr.Name, err = s.locate(hdr.Name); err != nil {
		return err
	}
	switch hdr.Typeflag {
	case tar.TypeSymlink:
		s[hdr.Name] = hdr.Linkname
		return nil
	case tar.TypeLink:
		if hdr.Linkname, err = s.locate(hdr.Linkname); err != nil {
			return err
		}
		if target, isLink := s[hdr.Linkname]; isLink {
			s[hdr.Name] = target
			return nil
		}
	}
	delete(s, hdr.Name)
	return nil
}

func (s symlinks) locate(name string) (string, error) {
	dir, base := split(name)
	dir, err := resolve(dir, s.readlink)
	if err != nil {
		return "", err
	}
	return join(dir, base), nil
}

func (s symlinks) readlink(name string) (string, bool) {
	target, ok := s[name]
	return target, ok
}
