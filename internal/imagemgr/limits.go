package imagemgr

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"banger/internal/format/ext4"
	"banger/internal/format/rootfs"
	"banger/internal/statedir"
)

// Limits bound what an image is made of: what a source unpacks to, and the file
// system that is made of it. 0 is the store's.
type Limits struct {
	Size    int64 // bytes
	Entries int64 // files, directories and links
}

// maxLayers is how many layers an image may have: container runtimes mount 500.
const maxLayers = 500

// LimitError says that an image would exceed a limit.
type LimitError struct{ Err error }

func (e *LimitError) Error() string { return e.Err.Error() }
func (e *LimitError) Unwrap() error { return e.Err }

// limitError makes a *LimitError of what says that a limit is exceeded.
func limitError(err error) error {
	if errors.As(err, new(*rootfs.LimitError)) || errors.Is(err, ext4.ErrTooLarge) {
		return &LimitError{err}
	}
	return err
}

// within are the limits of a pull that asks for some of its own.
func (s *Store) within(own Limits) Limits {
	return Limits{cmp.Or(own.Size, s.Limits.Size), cmp.Or(own.Entries, s.Limits.Entries)}
}

func (l Limits) unpacked() rootfs.Limits {
	return rootfs.Limits{Bytes: l.Size, Entries: l.Entries, Layers: maxLayers}
}

// checkLayers refuses an image that is too large compressed: its layers are
// fetched and kept before they are unpacked.
func (l Limits) checkLayers(layers []*layer) error {
	if len(layers) > maxLayers {
		return fmt.Errorf("it has %d layers, %d are possible", len(layers), maxLayers)
	}
	var total int64
	for _, layer := range layers {
		if layer.size < 0 {
			return fmt.Errorf("layer %s has the impossible size %d", layer.name, layer.size)
		}
		if total += layer.size; total < 0 || l.Size > 0 && total > l.Size {
			return &LimitError{fmt.Errorf("its layers have more than %d MiB", l.Size>>20)}
		}
	}
	return nil
}

// roomyFile is a file that asks for room before it is written.
type roomyFile struct {
	*os.File
	room *statedir.Room
}

func newRoomyFile(f *os.File, dir string) *roomyFile { return &roomyFile{f, &statedir.Room{Dir: dir}} }

func (f *roomyFile) Write(p []byte) (int, error) {
	if err := f.room.Take(int64(len(p))); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

func (f *roomyFile) WriteAt(p []byte, at int64) (int, error) {
	if err := f.room.Take(int64(len(p))); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, at)
}
