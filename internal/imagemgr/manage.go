package imagemgr

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"banger/internal/digest"
	"banger/internal/ref"
	"banger/internal/statedir"
)

// DamagedError says that an image is not what its manifest says.
type DamagedError struct {
	Name string
	Err  error
}

func (e *DamagedError) Error() string { return fmt.Sprintf("image %q is damaged: %v", e.Name, e.Err) }
func (e *DamagedError) Unwrap() error { return e.Err }

// Verify reads the named image's file system again and compares it with its
// manifest. The error is a *DamagedError where they differ.
func (s *Store) Verify(ctx context.Context, name string) error {
	f, _, err := s.getWhole(ctx, name)
	if err != nil {
		return err
	}
	return f.Close()
}

// getWhole returns the named image and its file system, all of it checked.
func (s *Store) getWhole(ctx context.Context, name string) (f *os.File, i Image, err error) {
	if err := ref.CheckName("image", name); err != nil {
		return nil, i, err
	}
	err = s.tree.Watch(name, func() (err error) {
		if i, err = s.Get(name); err == nil {
			f, err = s.openWhole(ctx, i)
		}
		return err
	})
	if errors.Is(err, statedir.ErrAbsent) {
		err = s.notFound(name)
	}
	return f, i, err
}

// openWhole opens an image's file system and checks all of it. What cannot be
// looked into, because ctx ended, is not called damaged.
func (s *Store) openWhole(ctx context.Context, i Image) (*os.File, error) {
	f, err := os.Open(s.Rootfs(i.Name))
	if err != nil {
		return nil, &DamagedError{i.Name, fmt.Errorf("open %s: %w", statedir.Rootfs, plain(err))}
	}
	file, err := seal(ctx, f)
	switch {
	case err != nil && ctx.Err() == nil:
		err = &DamagedError{i.Name, err}
	case err == nil && file.size != i.Size:
		err = &DamagedError{i.Name, fmt.Errorf("%s has %d bytes, its manifest says %d", statedir.Rootfs, file.size, i.Size)}
	case err == nil && file.digest != i.Digest:
		err = &DamagedError{i.Name, &digest.Error{Want: i.Digest, Got: file.digest}}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Rename gives an image another name. Whether something knows it by the old
// one is the caller's to know. The error is statedir.ErrExist where the new one
// is taken.
func (s *Store) Rename(from, to string) error {
	if _, err := s.Get(from); err != nil {
		return err
	}
	if err := ref.CheckName("image", to); err != nil {
		return err
	}
	err := s.tree.Rename(from, to)
	if errors.Is(err, statedir.ErrAbsent) {
		return s.notFound(from)
	}
	if err != nil {
		return fmt.Errorf("rename image %q: %w", from, err)
	}
	return nil
}

// OnDisk is what the named image takes of the disk, in bytes: its holes take
// nothing.
func (s *Store) OnDisk(name string) int64 { return allocated(s.Rootfs(name)) }

func allocated(path string) int64 {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return 0
	}
	return st.Blocks * 512
}

// Prune removes what was fetched from registries for images that are made, and
// returns how many bytes that freed. Nothing needs it but for being quicker.
func (s *Store) Prune() (freed int64, err error) {
	digests, err := s.blobs.Names()
	if err != nil {
		return 0, err
	}
	for _, digest := range digests {
		size := allocated(s.blobs.Path(digest, statedir.Blob))
		err := s.blobs.Remove(digest)
		if errors.Is(err, statedir.ErrAbsent) {
			continue // another was faster
		}
		if err != nil {
			return freed, err
		}
		freed += size
	}
	return freed, nil
}
