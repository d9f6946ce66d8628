package vm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"banger/internal/journal"
	"banger/internal/statedir"
)

// Origin is what a VM is made from that begins as a copy of another: a directory with the
// other's disk and host key and, if its guest goes on, memory and state.
type Origin struct {
	Dir   string
	GoOn  bool // the guest goes on; else it boots
	Label string
}

// CreateCopy is Create for a copy. The origin is not needed once it is made.
func (s *Store) CreateCopy(ctx context.Context, v VM, o Origin) (VM, error) {
	return s.create(ctx, v.copyOf(o), o.fill)
}

// CreateEphemeralCopy is CreateEphemeral for a copy.
func (s *Store) CreateEphemeralCopy(ctx context.Context, v VM, o Origin) (VM, *statedir.Lock, error) {
	return s.createEphemeral(ctx, v.copyOf(o), o.fill)
}

// ReplaceByCopy puts a stopped VM back to the origin. It keeps its name, keys and identity.
// After a crash there is either the old or the new one.
func (s *Store) ReplaceByCopy(ctx context.Context, v VM, o Origin) (VM, error) {
	lock, err := s.Lock(ctx, v.Name)
	if err != nil {
		return VM{}, err
	}
	defer lock.Release()
	old, err := s.load(v.Name)
	if err != nil {
		return VM{}, err
	}
	if old.Ephemeral {
		return VM{}, &EphemeralError{v.Name}
	}
	stage, err := s.tree.Stage()
	if err != nil {
		return VM{}, err
	}
	defer stage.Discard()
	if err := o.fill(ctx, stage); err != nil {
		return VM{}, fmt.Errorf("make the disk of vm %q: %w", v.Name, err)
	}
	for _, name := range []string{statedir.ClientKey, statedir.HostKey, statedir.KnownHosts} {
		if err := statedir.CopyFile(ctx, stage.Path(name), s.Path(v.Name, name)); err != nil {
			return VM{}, fmt.Errorf("keep the keys of vm %q: %w", v.Name, err)
		}
	}
	if len(old.Secrets) > 0 {
		if err := statedir.CopyFile(ctx, stage.Path(statedir.Edge), s.Path(v.Name, statedir.Edge)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return VM{}, fmt.Errorf("keep the secrets of vm %q: %w", v.Name, err)
		}
	}
	v = v.copyOf(o)
	v.Secrets = old.Secrets
	if !o.GoOn {
		v.Volumes = old.Volumes // which no snapshot has
	}
	v.MachineID, v.MAC, v.CreatedAt, v.State = old.MachineID, old.MAC, old.CreatedAt, State{Phase: Created}
	if err := check(v); err != nil {
		return VM{}, err
	}
	v.keepPlaces(old.Networks)
	completed, err := s.complete(ctx, &v)
	if err != nil {
		return VM{}, err
	}
	defer completed()
	if err := stage.WriteJSON(statedir.VMState, v); err != nil {
		return VM{}, err
	}
	if err := stage.Replace(v.Name); err != nil {
		return v, err
	}
	s.Note(journal.Entry{VM: v.Name, Event: journal.Restored, Detail: v.origin()})
	return v, nil
}

func (v VM) copyOf(o Origin) VM {
	v.Snapshot, v.Copied, v.Volumes = o.Label, true, nil
	v.leavePlaces()
	return v
}

// fill copies the disk, and links memory and state: nobody ever writes to those, so copies
// share them.
func (o Origin) fill(ctx context.Context, stage *statedir.Stage) error {
	if err := statedir.CopyFile(ctx, stage.Path(statedir.Disk), filepath.Join(o.Dir, statedir.Disk)); err != nil {
		return err
	}
	if !o.GoOn {
		return nil
	}
	return o.link(ctx, stage.Path(statedir.RestoreDir))
}

// link makes dir, with what the guest goes on from.
func (o Origin) link(ctx context.Context, dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for _, name := range []string{statedir.Memory, statedir.SavedState, statedir.HostKey} {
		from, to := filepath.Join(o.Dir, name), filepath.Join(dir, name)
		if os.Link(from, to) == nil {
			continue
		}
		if err := statedir.CopyFile(ctx, to, from); err != nil {
			return err
		}
	}
	return nil
}

// Saved is what a snapshot cost its VM.
type Saved struct {
	Running      bool  `json:"running"` // memory and state are there too
	PausedMillis int64 `json:"paused_ms"`
}

// Snapshot writes the named VM's disk and host key and, where it runs or is
// paused, its memory and state as they were at that moment to dir, which is empty.
// The VM goes on in any case. The error is a *PhaseError where it starts or stops.
func (s *Store) Snapshot(ctx context.Context, name, dir string) (Saved, error) {
	v, err := s.Get(name)
	if err != nil {
		return Saved{}, err
	}
	switch v.State.Phase {
	case Running, Paused:
		if len(v.State.Volumes) > 0 {
			return Saved{}, &VolumesError{name}
		}
		conn, reply, err := s.request(ctx, name, Request{Op: OpSnapshot, Dir: dir})
		if err != nil {
			return Saved{}, err
		}
		conn.Close()
		if reply.Saved == nil {
			return Saved{}, errors.New("the supervisor said nothing of the snapshot")
		}
		return *reply.Saved, nil
	case Starting, Stopping:
		return Saved{}, &PhaseError{Name: name, Phase: v.State.Phase}
	}
	return Saved{}, s.snapshotStopped(ctx, name, dir)
}

// VolumesError says that a running VM has volumes, and so cannot be copied as it is: its
// memory would go on with volumes that have changed since.
type VolumesError struct{ Name string }

func (e *VolumesError) Error() string {
	return fmt.Sprintf("vm %q runs with volumes, which are not part of a snapshot", e.Name)
}

func (s *Store) snapshotStopped(ctx context.Context, name, dir string) error {
	lock, err := s.Lock(ctx, name)
	if err != nil {
		return err
	}
	defer lock.Release()
	return s.CopyDisk(ctx, name, dir)
}

// CopyDisk copies a VM's disk and host key to dir. Nobody may write to the disk
// meanwhile.
func (s *Store) CopyDisk(ctx context.Context, name, dir string) error {
	for _, file := range []string{statedir.HostKey, statedir.Disk} {
		if err := statedir.CopyFile(ctx, filepath.Join(dir, file), s.Path(name, file)); err != nil {
			return fmt.Errorf("copy the disk of vm %q: %w", name, err)
		}
	}
	return nil
}
