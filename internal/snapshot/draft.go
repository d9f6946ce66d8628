package snapshot

import (
	"context"
	"fmt"
	"os"
	"time"

	"banger/internal/ref"
	"banger/internal/statedir"
)

// Draft is a snapshot that is being made, in a directory that no reader sees and
// that goes with the process.
type Draft struct {
	stage *statedir.Stage
	store *Store
}

// Draft begins a snapshot. The caller must Publish or Discard it.
func (s *Store) Draft() (*Draft, error) {
	stage, err := s.tree.Stage()
	if err != nil {
		return nil, err
	}
	return &Draft{stage, s}, nil
}

// Dir is where the snapshot's files are to be put.
func (d *Draft) Dir() string { return d.stage.Dir }

// Discard deletes the draft. After Publish it does nothing.
func (d *Draft) Discard() { d.stage.Discard() }

// Claim ties the snapshot to this process: Sweep removes it once nobody holds the
// returned claim.
func (d *Draft) Claim() (*statedir.Lock, error) {
	return statedir.TryLock(d.stage.Path(statedir.Claim))
}

// Publish gives the draft its name, and returns the snapshot. Its files are
// whole.
func (d *Draft) Publish(ctx context.Context, snap Snapshot) (Snapshot, error) {
	if err := ref.CheckName("snapshot", snap.Name); err != nil {
		return snap, err
	}
	entries, err := os.ReadDir(d.stage.Dir)
	if err != nil {
		return snap, fmt.Errorf("make snapshot %q: %w", snap.Name, err)
	}
	for _, e := range entries {
		if e.Name() == statedir.Claim {
			continue
		}
		f, err := describe(ctx, d.stage.Path(e.Name()))
		if err != nil {
			return snap, fmt.Errorf("make snapshot %q: %w", snap.Name, err)
		}
		used, err := usage(d.stage.Path(e.Name()))
		if err != nil {
			return snap, fmt.Errorf("make snapshot %q: %w", snap.Name, err)
		}
		snap.Files = append(snap.Files, f)
		snap.DiskUsage += used
	}
	snap.CreatedAt, snap.BangerVersion = time.Now().UTC().Truncate(time.Second), d.store.version
	if err := statedir.WriteJSON(d.stage.Path(statedir.Manifest), snap); err != nil {
		return snap, err
	}
	return snap, d.stage.Publish(snap.Name)
}
