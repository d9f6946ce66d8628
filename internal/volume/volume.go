// Package volume is the store of volumes: file systems of their own, that VMs
// have beside their disks and that outlive them.
//
// It guarantees that a volume with a name is whole, and that one writer at a time
// has it, or any number of readers. What is in a volume a guest has written: the
// package reads no more of it than the superblock, and nothing on the host ever
// mounts it.
package volume

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"banger/internal/format/ext4"
	"banger/internal/ref"
	"banger/internal/statedir"
	"banger/internal/vm"
)

// Bounds of a volume's size in bytes: the most that ext4 addresses by 32 bits.
const (
	MinSize = 16 << 20
	MaxSize = 16 << 40
)

// Volume is a volume as it is now.
type Volume struct {
	Name      string    `json:"name"`
	SizeBytes int64     `json:"size_bytes"`
	DiskUsage int64     `json:"disk_usage"` // bytes, holes not counted
	Labels    vm.Labels `json:"labels,omitempty"`
	CreatedAt time.Time `json:"created_at"`
}

// manifest is the content of a volume's manifest.json.
type manifest struct {
	Labels        vm.Labels `json:"labels,omitempty"`
	CreatedAt     time.Time `json:"created_at"`
	BangerVersion string    `json:"banger_version"`
}

// NotFoundError says that there is no volume of a name.
type NotFoundError struct {
	Name    string
	Nearest string // a volume that may be meant, or ""
}

func (e *NotFoundError) Error() string { return fmt.Sprintf("no volume is called %q", e.Name) }

// AttachedError says that a VM that runs has a volume.
type AttachedError struct {
	Name string
	By   string // which, "" where that is not known
}

func (e *AttachedError) Error() string {
	if e.By == "" {
		return fmt.Sprintf("volume %q is attached to another vm", e.Name)
	}
	return fmt.Sprintf("volume %q is attached to %s", e.Name, e.By)
}

// DirtyError says that a volume cannot be read as it is: it was not unmounted,
// and what its journal holds has to be written first.
type DirtyError struct{ Name string }

func (e *DirtyError) Error() string {
	return fmt.Sprintf("volume %q was not unmounted when its last vm went down, and cannot be attached read-only before it is repaired", e.Name)
}

// SizeError says that a volume cannot have a size.
type SizeError struct {
	Name string
	Size int64
	Why  string
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("volume %q cannot have %d bytes: %s", e.Name, e.Size, e.Why)
}

// Store is the volumes of one state tree, and their only writer but for guests.
type Store struct {
	tree    statedir.Tree
	version string
}

// NewStore returns the store of the volumes in tree; version is banger's, for
// their manifests.
func NewStore(tree statedir.Tree, version string) *Store { return &Store{tree, version} }

// Exists reports whether name is taken.
func (s *Store) Exists(name string) bool { return s.tree.Exists(name) }

// Create makes an empty volume. It takes the same time and next to no disk
// whatever its size.
func (s *Store) Create(ctx context.Context, name string, size int64, labels vm.Labels) (Volume, error) {
	if err := ref.CheckName("volume", name); err != nil {
		return Volume{}, err
	}
	size = whole(size)
	if size < MinSize || size > MaxSize {
		return Volume{}, &SizeError{name, size, fmt.Sprintf("it is to be %d to %d", int64(MinSize), int64(MaxSize))}
	}
	if err := labels.Check(); err != nil {
		return Volume{}, err
	}
	if s.tree.Exists(name) {
		return Volume{}, fmt.Errorf("volume %q %w", name, statedir.ErrExist)
	}
	stage, err := s.tree.Stage()
	if err != nil {
		return Volume{}, err
	}
	defer stage.Discard()
	if err := format(stage.Path(statedir.Volume), size); err != nil {
		return Volume{}, fmt.Errorf("make volume %q: %w", name, err)
	}
	m := manifest{Labels: labels, CreatedAt: time.Now().UTC().Truncate(time.Second), BangerVersion: s.version}
	if err := stage.WriteJSON(statedir.Manifest, m); err != nil {
		return Volume{}, err
	}
	if err := ctx.Err(); err != nil {
		return Volume{}, err
	}
	if err := stage.Publish(name); err != nil {
		return Volume{}, err
	}
	return s.Get(name)
}

// whole is size rounded up to whole blocks.
func whole(size int64) int64 {
	const block = 4096
	return (size + block - 1) / block * block
}

// format makes a file with an empty file system.
func format(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	seed := make([]byte, 32)
	rand.Read(seed) // never fails
	return errors.Join(ext4.Format(f, size, seed), f.Close())
}

// Get returns the named volume. The error is a *NotFoundError where there is none.
func (s *Store) Get(name string) (Volume, error) {
	if err := ref.CheckName("volume", name); err != nil {
		return Volume{}, err
	}
	v := Volume{Name: name}
	err := s.tree.Watch(name, func() error {
		var m manifest
		if err := statedir.ReadJSON(s.tree.Path(name, statedir.Manifest), &m); err != nil {
			return err
		}
		info, err := os.Stat(s.file(name))
		if err != nil {
			return err
		}
		v.Labels, v.CreatedAt, v.SizeBytes = m.Labels, m.CreatedAt, info.Size()
		v.DiskUsage = statedir.DiskUsage(info)
		return nil
	})
	if errors.Is(err, statedir.ErrAbsent) {
		return Volume{}, s.notFound(name)
	}
	if err != nil {
		return Volume{}, fmt.Errorf("open volume %q: %w", name, err)
	}
	return v, nil
}

func (s *Store) file(name string) string { return s.tree.Path(name, statedir.Volume) }

func (s *Store) notFound(name string) error {
	names, _ := s.tree.Names()
	return &NotFoundError{Name: name, Nearest: ref.Nearest(name, names)}
}

// List returns all volumes, sorted by name. One that is damaged has a name and
// nothing else, so that it can be seen and removed.
func (s *Store) List() ([]Volume, error) {
	names, err := s.tree.Names()
	if err != nil {
		return nil, err
	}
	var all []Volume
	for _, name := range names {
		v, err := s.Get(name)
		if errors.As(err, new(*NotFoundError)) || errors.As(err, new(*ref.NameError)) {
			continue // removed meanwhile, or never made here
		}
		v.Name = name
		all = append(all, v)
	}
	return all, nil
}

// Remove deletes a volume with all that is in it. The error is an *AttachedError
// where a VM has it.
func (s *Store) Remove(ctx context.Context, name string) error {
	if err := ref.CheckName("volume", name); err != nil {
		return err
	}
	lock, err := s.lock(ctx, name, false)
	if err != nil {
		return err
	}
	defer lock.Release()
	err = s.tree.Remove(name)
	if errors.Is(err, statedir.ErrAbsent) {
		err = s.notFound(name)
	}
	return err
}

// lock takes a volume, as one of its readers or for oneself. The error is an
// *AttachedError where others have it.
func (s *Store) lock(ctx context.Context, name string, shared bool) (*statedir.Lock, error) {
	take := statedir.LockSoon
	if shared {
		take = statedir.ReadLockSoon
	}
	lock, err := take(ctx, s.tree.Path(name, statedir.LockFile))
	switch {
	case errors.Is(err, fs.ErrNotExist) && !s.tree.Exists(name):
		return nil, s.notFound(name)
	case errors.Is(err, statedir.ErrLocked):
		return nil, &AttachedError{Name: name}
	}
	return lock, err
}
