package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"banger/internal/agent/filesync"
)

// SyncOptions say how a directory is made like one of a guest's.
type SyncOptions struct {
	Dir    string // the host's; "" is the working directory
	To     string // the guest's, below the user's home where relative; "" is Dir's own name there
	User   string // as whom in the guest; "" is root
	Push   bool   // what changed here goes there
	Pull   bool   // what changed there comes here
	Delete bool   // also that files were removed
	DryRun bool   // find out what is to be done, and do nothing
	Events Events
}

// Synced is what a sync found, or did.
type Synced struct {
	Push      []filesync.Change `json:"push"`      // of what changed here
	Pull      []filesync.Change `json:"pull"`      // of what changed there
	Conflicts []string          `json:"conflicts"` // changed on both sides, and left as they are
	Refused   []string          `json:"refused"`   // what a guest must not put here
}

// MarshalJSON writes empty lists as [], not null.
func (s Synced) MarshalJSON() ([]byte, error) {
	type plain Synced // without this method
	return json.Marshal(plain{listed(s.Push), listed(s.Pull), listed(s.Conflicts), listed(s.Refused)})
}

func listed[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// Sync finds what changed since the last time in a directory of the host's and one
// of a guest's, and makes them alike as far as it is asked to. Nothing in a .git is
// looked at, but for the first time, when a repository goes along.
func (e *Engine) Sync(ctx context.Context, name string, o SyncOptions) (Synced, error) {
	s, err := e.openSync(ctx, name, o)
	if err != nil {
		return Synced{}, err
	}
	defer s.lock.Release()
	if err := s.look(ctx); err != nil {
		return Synced{}, err
	}
	if len(s.base) == 0 && len(s.there) == 0 && o.Push && !o.DryRun {
		if has, err := s.hasRepository(ctx); !has {
			if err != nil {
				return Synced{}, err
			}
			return s.first(ctx)
		}
	}
	plan := filesync.Reconcile(s.base, s.here, s.there)
	result := Synced{Push: plan.Push, Pull: plan.Pull, Conflicts: plan.Conflicts}
	if result.Pull, result.Refused, err = s.harmless(ctx, plan.Pull); err != nil {
		return Synced{}, err
	}
	if !o.Push && !o.Pull || o.DryRun {
		return result, nil
	}
	if !o.Delete {
		result.Push, result.Pull = withoutRemovals(result.Push), withoutRemovals(result.Pull)
	}
	for _, known := range plan.Alike {
		s.know(known, s.here[known].Stamp, s.there[known].Stamp)
	}
	if o.Push {
		err = s.push(ctx, &result)
	} else {
		result.Push = nil
	}
	if o.Pull && err == nil {
		err = s.pull(ctx, &result)
	} else {
		result.Pull = nil
	}
	return result, errors.Join(err, s.save())
}

// harmless tells what may come from the guest from what may not.
func (s *syncing) harmless(ctx context.Context, pull []filesync.Change) (left []filesync.Change, refused []string, err error) {
	if len(pull) == 0 {
		return nil, nil, nil
	}
	obeyed, err := s.copied.tree.Obeyed(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("find out what git obeys in %s: %w", s.dir, err)
	}
	left, refused = filesync.Harmless(pull, s.here, obeyed)
	return left, refused, nil
}

func withoutRemovals(changes []filesync.Change) []filesync.Change {
	return slices.DeleteFunc(changes, func(c filesync.Change) bool { return c.To.Kind == filesync.Absent })
}
