package engine

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"

	"banger/internal/agent/filesync"
	"banger/internal/format/tree"
)

// pull makes here the changes that were made in the guest.
func (s *syncing) pull(ctx context.Context, result *Synced) error {
	removals, names, pulled := split(result.Pull, s.here, s.there)
	changed, err := removals.Remove(s.dir, s.tracked)
	if err != nil {
		return s.inDir(err)
	}
	placed := filesync.State{}
	if len(names) > 0 {
		err = s.guest.Pull(ctx, pulled, func(r io.Reader) error {
			return s.inDir(tree.UnpackInto(r, s.dir, false, tree.UnpackOptions{
				Guarded: true, Changed: func(name string) { changed[name] = filesync.Entry{} }, Placed: placed.Place,
				Expect: func(h *tar.Header) (tree.Stamp, error) {
					if err := asked(pulled, h); err != nil {
						return tree.Stamp{}, err
					}
					if _, gone := removals[h.Name]; gone {
						return tree.Stamp{}, nil
					}
					return s.here[h.Name].Stamp, nil
				},
			}))
		})
	}
	noteLeftOut(pulled, placed, changed)
	s.applied(&result.Pull, result, changed, removals)
	maps.DeleteFunc(pulled, func(name string, _ filesync.Entry) bool { _, is := changed[name]; return is })
	return errors.Join(full(s.dir, err), s.settleHere(ctx, pulled, placed))
}

// inDir adds to an error of the host's side which directory it is about: an error of the
// guest's side says so itself.
func (s *syncing) inDir(err error) error {
	if err != nil {
		err = fmt.Errorf("in %s: %w", s.dir, err)
	}
	return err
}

// asked is the error of an entry that is none of those that the guest was asked for, or
// none any more.
func asked(files filesync.State, h *tar.Header) error {
	e, wanted := files[h.Name]
	switch {
	case !wanted:
		return errors.New("it was not asked for")
	case kindOf(h) != e.Kind, e.Kind == filesync.Link && h.Linkname != e.Hash:
		return tree.ErrChanged
	}
	return nil
}

func kindOf(h *tar.Header) filesync.Kind {
	switch h.Typeflag {
	case tar.TypeReg:
		return filesync.File
	case tar.TypeDir:
		return filesync.Dir
	case tar.TypeSymlink:
		return filesync.Link
	}
	return filesync.Absent
}

// settleHere notes how the files that were pulled are now.
func (s *syncing) settleHere(ctx context.Context, pulled, placed filesync.State) error {
	here, err := filesync.Hash(ctx, s.dir, pulled.Names())
	if err == nil && len(placed) > 0 {
		err = filesync.ToDisk(s.dir)
	}
	if err != nil {
		return err
	}
	for name, want := range pulled {
		if want.Kind != filesync.File {
			s.note(name, filesync.Known{Content: want.Content, There: want.Stamp})
		} else if alike, from, to, known := filesync.Settled(want, placed[name], here[name]); known {
			s.note(name, filesync.Known{Content: alike, Here: to, There: from})
		}
	}
	return nil
}
