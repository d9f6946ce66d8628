// Package snapshot is the store of VMs as they were at one moment: the disk and,
// of one that ran, the guest's memory and the state of its devices.
//
// It guarantees that a snapshot with a name is whole and was flushed, and that
// its files are never written to again. It runs no VM: a VM's supervisor writes
// what runs, and restores it.
package snapshot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/ref"
	"banger/internal/statedir"
	"banger/internal/vm"
)

// Snapshot is the content of a snapshot's manifest.json.
type Snapshot struct {
	Name          string    `json:"name"`
	Description   string    `json:"description,omitempty"`
	CreatedAt     time.Time `json:"created_at"`
	VM            vm.VM     `json:"vm"`         // that it is of, as it was
	Running       bool      `json:"running"`    // its guest goes on; else there is the disk alone
	Machine       Machine   `json:"machine"`    // what the guest goes on in
	PausedMillis  int64     `json:"paused_ms"`  // how long the VM was held still for it
	Files         []File    `json:"files"`      // but for the manifest
	DiskUsage     int64     `json:"disk_usage"` // bytes, holes not counted
	BangerVersion string    `json:"banger_version"`
}

// File is one file of a snapshot.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // of what is not zero, see Digest
}

// NotFoundError says that there is no snapshot of a name.
type NotFoundError struct {
	Name    string
	Nearest string // a snapshot that may be meant, or ""
}

func (e *NotFoundError) Error() string { return fmt.Sprintf("no snapshot is called %q", e.Name) }

// Store is the snapshots of one state tree.
type Store struct {
	tree    statedir.Tree
	version string
}

// NewStore returns the store of the snapshots in tree; version is banger's, for
// their manifests.
func NewStore(tree statedir.Tree, version string) *Store { return &Store{tree, version} }

// Path returns the path of a file of the named snapshot.
func (s *Store) Path(name, file string) string { return s.tree.Path(name, file) }

// Exists reports whether name is taken.
func (s *Store) Exists(name string) bool { return s.tree.Exists(name) }

// Get returns the named snapshot. The error is a *NotFoundError where there is
// none.
func (s *Store) Get(name string) (Snapshot, error) {
	var snap Snapshot
	if err := ref.CheckName("snapshot", name); err != nil {
		return snap, err
	}
	err := s.tree.ReadJSON(name, statedir.Manifest, &snap)
	if errors.Is(err, statedir.ErrAbsent) {
		return snap, s.notFound(name)
	}
	if err != nil {
		return snap, fmt.Errorf("open snapshot %q: %w", name, err)
	}
	snap.Name = name
	return snap, nil
}

func (s *Store) notFound(name string) error {
	names, _ := s.tree.Names()
	return &NotFoundError{Name: name, Nearest: ref.Nearest(name, names)}
}

// List returns all snapshots, sorted by name; one whose manifest cannot be read has its
// name alone.
func (s *Store) List() ([]Snapshot, error) {
	names, err := s.tree.Names()
	if err != nil {
		return nil, err
	}
	var all []Snapshot
	for _, name := range names {
		snap, err := s.Get(name)
		if errors.As(err, new(*NotFoundError)) || errors.As(err, new(*ref.NameError)) {
			continue // removed meanwhile, or never made here
		}
		snap.Name = name
		all = append(all, snap)
	}
	return all, nil
}

// Remove deletes a snapshot. VMs that were made of it do not need it.
func (s *Store) Remove(name string) error {
	if err := ref.CheckName("snapshot", name); err != nil {
		return err
	}
	err := s.tree.Remove(name)
	if errors.Is(err, statedir.ErrAbsent) {
		err = s.notFound(name)
	}
	return err
}

// Sweep removes the snapshots that were claimed by processes that are gone.
func (s *Store) Sweep() {
	names, _ := s.tree.Names()
	for _, name := range names {
		path := s.Path(name, statedir.Claim)
		if _, err := os.Lstat(path); err != nil || statedir.Locked(path) {
			continue
		}
		_ = s.tree.Remove(name) // or the next one does
	}
}

// DamagedError says that a snapshot's file is not what it was.
type DamagedError struct{ Name, File string }

func (e *DamagedError) Error() string {
	return fmt.Sprintf("snapshot %q is damaged: %s is not what it was", e.Name, e.File)
}

// Verify checks a snapshot's files against its manifest.
func (s *Store) Verify(ctx context.Context, name string) error {
	return s.tree.Watch(name, func() error {
		snap, err := s.Get(name)
		if err != nil {
			return err
		}
		for _, f := range snap.Files {
			now, err := describe(ctx, s.Path(name, f.Name))
			if err != nil {
				return fmt.Errorf("verify snapshot %q: %w", name, err)
			}
			if now.Size != f.Size || now.SHA256 != f.SHA256 {
				return &DamagedError{name, f.Name}
			}
		}
		return nil
	})
}

// usage returns how much of the disk a file takes, in bytes.
func usage(path string) (int64, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return st.Blocks * 512, nil
}
