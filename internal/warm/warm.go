// Package warm is the store of templates: snapshots of throw-away VMs whose guests
// have booted, and which new VMs of the same shape go on from in place of booting.
//
// It guarantees what package snapshot does, and that all templates together take
// no more disk than they may. It runs no VM, and makes no template: the engine has
// one made of a VM that no user ever had.
package warm

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"banger/internal/snapshot"
	"banger/internal/statedir"
)

// Template is a guest that has booted.
type Template struct {
	snapshot.Snapshot
	UsedAt time.Time `json:"used_at"`
}

// Fits reports whether a VM whose disk adds so many bytes to the image can go on
// from the template.
func (t Template) Fits(diskBytes int64) bool { return t.VM.DiskBytes == diskBytes }

// Store is the templates of one state tree.
type Store struct {
	tree      statedir.Tree
	snapshots *snapshot.Store
}

// NewStore returns the store of the templates in tree; version is banger's.
func NewStore(tree statedir.Tree, version string) *Store {
	return &Store{tree, snapshot.NewStore(tree, version)}
}

// Dir is where a template's files are.
func (s *Store) Dir(name string) string { return s.tree.Path(name) }

// Get returns the template of a shape, or nil where there is none.
func (s *Store) Get(shape Shape) (*Template, error) {
	snap, err := s.snapshots.Get(shape.Name())
	if errors.As(err, new(*snapshot.NotFoundError)) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &Template{snap, s.usedAt(snap.Name)}, nil
}

// List returns all templates, those that were used last first. What cannot be read
// is not among them.
func (s *Store) List() ([]Template, error) {
	names, err := s.tree.Names()
	if err != nil {
		return nil, err
	}
	var all []Template
	for _, name := range names {
		if snap, err := s.snapshots.Get(name); err == nil {
			all = append(all, Template{snap, s.usedAt(name)})
		}
	}
	slices.SortStableFunc(all, func(a, b Template) int {
		return cmp.Or(b.UsedAt.Compare(a.UsedAt), cmp.Compare(a.Name, b.Name))
	})
	return all, nil
}

// usedAt is kept as the time of the manifest's file.
func (s *Store) usedAt(name string) time.Time {
	info, err := os.Stat(s.tree.Path(name, statedir.Manifest))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime().UTC()
}

// Use notes that a template was used.
func (s *Store) Use(name string) {
	now := time.Now()
	os.Chtimes(s.tree.Path(name, statedir.Manifest), now, now) // of a template that may be gone
}

// Size is how much disk all templates take, in bytes.
func (s *Store) Size() (int64, error) {
	all, err := s.List()
	var sum int64
	for _, t := range all {
		sum += t.DiskUsage
	}
	return sum, err
}

// Remove deletes a template. VMs that go on from it do not need it. That it is gone
// already is no error.
func (s *Store) Remove(name string) error {
	err := s.tree.Remove(name)
	if errors.Is(err, statedir.ErrAbsent) {
		return nil
	}
	return err
}

// RemoveWhere deletes the templates that are so, and those that cannot be read. It
// returns how much disk they took, in bytes.
func (s *Store) RemoveWhere(are func(Template) bool) (freed int64, err error) {
	names, err := s.tree.Names()
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		snap, err := s.snapshots.Get(name)
		if err == nil && !are(Template{snap, s.usedAt(name)}) {
			continue
		}
		if err := s.Remove(name); err != nil {
			return freed, err
		}
		freed += snap.DiskUsage
	}
	return freed, nil
}

// Draft begins a template. The caller must Discard it.
func (s *Store) Draft() (*snapshot.Draft, error) { return s.snapshots.Draft() }

// Publish makes a draft the template of a shape, in place of an older one, and
// deletes those that were used longest ago until all of them take no more than most
// bytes. The error is ErrTooLarge where it alone does.
func (s *Store) Publish(ctx context.Context, draft *snapshot.Draft, snap snapshot.Snapshot, most int64) error {
	if err := s.Remove(snap.Name); err != nil {
		return err
	}
	snap, err := draft.Publish(ctx, snap)
	if err != nil {
		return err
	}
	if snap.DiskUsage > most {
		return errors.Join(ErrTooLarge, s.Remove(snap.Name))
	}
	return s.trim(most)
}

// ErrTooLarge says that a template takes more disk than all may.
var ErrTooLarge = errors.New("the template takes more disk than warm.max_disk")

func (s *Store) trim(most int64) error {
	all, err := s.List()
	if err != nil {
		return err
	}
	for _, t := range all {
		if most -= t.DiskUsage; most >= 0 {
			continue
		}
		if err := s.Remove(t.Name); err != nil {
			return err
		}
	}
	return nil
}

// makers is the lock of who makes a template.
const makers = "makers"

// Lock waits for the right to make templates, which is one's at a time.
func (s *Store) Lock(ctx context.Context) (*statedir.Lock, error) { return s.tree.Lock(ctx, makers) }

// TryLock is Lock; the error is statedir.ErrLocked where another makes one.
func (s *Store) TryLock() (*statedir.Lock, error) { return s.tree.TryLock(makers) }
