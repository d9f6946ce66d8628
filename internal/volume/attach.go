package volume

import (
	"context"
	"errors"
	"fmt"
	"os"

	"banger/internal/format/ext4"
	"banger/internal/statedir"
	"banger/internal/vm"
)

// Attachment is a volume that a VM's supervisor has, for as long as it lives.
type Attachment struct {
	vm.Volume
	File string // what the guest's disk is
	lock *statedir.Lock
}

// Release gives the volume back.
func (a *Attachment) Release() { a.lock.Release() }

// Attach takes a volume for a VM: alone, or with other readers. The error is an
// *AttachedError where others have it, and a *DirtyError where it has to be
// written to before it can be read.
func (s *Store) Attach(ctx context.Context, v vm.Volume) (*Attachment, error) {
	if _, err := s.Get(v.Name); err != nil {
		return nil, err
	}
	lock, err := s.lock(ctx, v.Name, v.ReadOnly)
	if err != nil {
		return nil, err
	}
	a := &Attachment{Volume: v, File: s.file(v.Name), lock: lock}
	if err := a.check(); err != nil {
		lock.Release()
		return nil, err
	}
	return a, nil
}

// check looks at the superblock, of which a guest may have made anything.
func (a *Attachment) check() error {
	f, err := os.Open(a.File)
	if err != nil {
		return fmt.Errorf("open volume %q: %w", a.Name, err)
	}
	defer f.Close()
	info, err := ext4.Check(f)
	if errors.Is(err, ext4.ErrNotExt4) {
		return nil // as a guest wants it: what it can do with that it will say
	}
	if err != nil {
		return fmt.Errorf("open volume %q: %w", a.Name, err)
	}
	if a.ReadOnly && info.NeedsRecovery {
		return &DirtyError{a.Name}
	}
	return nil
}

// Grow makes the volume larger, by a hole at its end, and returns its size in bytes.
// What has it open sees that later. The error is a *SizeError where it cannot be so
// large.
func (a *Attachment) Grow(size int64) (int64, error) { return grow(a.Name, a.File, size) }

// Change is what of a volume is to become another.
type Change struct {
	Size   int64     // bytes, 0 leaves it as it is
	Labels vm.Labels // added; one without a value is taken away
}

// Set changes a volume that no VM has that runs: else the error is an
// *AttachedError. It can only grow: the file system does when it is next attached
// to be written to.
func (s *Store) Set(ctx context.Context, name string, c Change) (Volume, error) {
	v, err := s.Get(name)
	if err != nil {
		return v, err
	}
	lock, err := s.lock(ctx, name, false)
	if err != nil {
		return v, err
	}
	defer lock.Release()
	if err := s.relabel(name, c.Labels); err != nil {
		return v, err
	}
	if c.Size != 0 {
		if _, err := grow(name, s.file(name), c.Size); err != nil {
			return v, err
		}
	}
	return s.Get(name)
}

func (s *Store) relabel(name string, labels vm.Labels) error {
	if len(labels) == 0 {
		return nil
	}
	var m manifest
	path := s.tree.Path(name, statedir.Manifest)
	if err := statedir.ReadJSON(path, &m); err != nil {
		return err
	}
	m.Labels = m.Labels.With(labels)
	if err := errors.Join(labels.Check(), m.Labels.Check()); err != nil {
		return err
	}
	return statedir.WriteJSON(path, m)
}

// grow makes a volume larger, by a hole at its end. Its holder alone may call it.
func grow(name, file string, size int64) (int64, error) {
	info, err := os.Stat(file)
	if err != nil {
		return 0, fmt.Errorf("grow volume %q: %w", name, err)
	}
	switch size = whole(size); {
	case size < info.Size():
		return 0, &SizeError{name, size, fmt.Sprintf("it has %d, and can only grow", info.Size())}
	case size > MaxSize:
		return 0, &SizeError{name, size, fmt.Sprintf("%d are the most", int64(MaxSize))}
	}
	if err := os.Truncate(file, size); err != nil {
		return 0, fmt.Errorf("grow volume %q: %w", name, err)
	}
	return size, nil
}
