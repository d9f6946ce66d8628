package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// UnsyncedError says that not all that a run changed was copied back.
type UnsyncedError struct {
	Synced
	Patch string // a file with what the guest has in place of that; "" is none
}

func (e *UnsyncedError) Error() string {
	if n := len(e.Conflicts); n > 0 {
		return fmt.Sprintf("%d files changed on both sides and were left as they are, such as %s", n, e.Conflicts[0])
	}
	return fmt.Sprintf("%d files were refused, such as %s: links that lead out, and what git would run", len(e.Refused), e.Refused[0])
}

// Unsynced returns an *UnsyncedError if the sync left files as they are.
func (s Synced) Unsynced() error {
	if len(s.Conflicts)+len(s.Refused) == 0 {
		return nil
	}
	return &UnsyncedError{Synced: s}
}

// bring copies a directory into a new VM, in place of what its image has there, and notes
// what it copied, for later syncs.
func (e *Engine) bring(ctx context.Context, name string, o SyncOptions) error {
	s, err := e.openSync(ctx, name, o)
	if err != nil {
		return err
	}
	defer s.lock.Release()
	if err := s.lookHere(ctx); err != nil {
		return err
	}
	if err := s.hashHere(ctx); err != nil {
		return err
	}
	if _, err := s.fill(ctx, true); err != nil {
		return err
	}
	return s.save()
}

// renew pushes what changed here to a VM that already has the directory. What changed there
// too stays as it is, with a warning.
func (e *Engine) renew(ctx context.Context, name string, o SyncOptions) error {
	o.Push, o.Delete = true, true
	found, err := e.Sync(ctx, name, o)
	if err == nil && len(found.Conflicts) > 0 {
		o.Events.warn(found.Unsynced())
	}
	return err
}

// afterRun copies back what a program changed, if it was run to its end.
func (e *Engine) afterRun(ctx context.Context, name string, ends bool, o SyncOptions, err error) error {
	if err != nil {
		o.Events.warn(errors.New("nothing that the vm changed in its copy came home"))
		return err
	}
	return e.bringHome(ctx, name, ends, o)
}

// bringHome copies back what a program changed in a copied directory, removals included if
// the file is still as it was. If the VM is about to be removed, what cannot be copied back
// is left as a patch.
func (e *Engine) bringHome(ctx context.Context, name string, ends bool, o SyncOptions) error {
	if ctx.Err() != nil {
		return fmt.Errorf("bring home what changed: %w", context.Cause(ctx)) // the VM is shut down
	}
	o.Pull, o.Delete = true, true
	found, err := e.Sync(ctx, name, o)
	if err != nil {
		return fmt.Errorf("bring home what changed: %w", err)
	}
	if len(found.Conflicts) == 0 || !ends {
		return found.Unsynced()
	}
	file, err := e.leavePatch(ctx, name, o)
	return errors.Join(&UnsyncedError{found, file}, err)
}

// leavePatch writes what is different in a guest to a new file, whose name it returns.
func (e *Engine) leavePatch(ctx context.Context, name string, o SyncOptions) (file string, err error) {
	f, err := os.CreateTemp("", name+"-*.patch")
	if err == nil {
		_, err = e.SyncPatch(ctx, name, o, f)
		err = errors.Join(err, f.Close())
		if err != nil {
			os.Remove(f.Name())
		}
	}
	if err != nil {
		return "", fmt.Errorf("save what the vm has in their place: %w", err)
	}
	return f.Name(), nil
}
