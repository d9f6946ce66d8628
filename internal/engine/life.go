package engine

import (
	"context"
	"errors"
	"time"

	"banger/internal/secret"
	"banger/internal/vm"
)

// RestartVM shuts a VM down, where it runs, and boots it again.
func (e *Engine) RestartVM(ctx context.Context, name string, o StopOptions, events Events) (end Stopped, err error) {
	v, err := e.vms.Get(name)
	if err == nil && v.Ephemeral {
		err = &vm.EphemeralError{Name: name}
	}
	if err != nil {
		return Stopped{}, err
	}
	again := SuperviseOptions{Name: name}
	if v.State.Phase.Alive() {
		if len(v.Secrets) > 0 {
			// What cannot be had again is asked for before the VM goes down.
			if again.secrets, err = e.vms.Secrets(ctx, name); err != nil {
				return end, err
			}
		}
		o.Events = events
		end, err = e.StopVM(ctx, name, o)
		if errors.As(err, new(*vm.PhaseError)) {
			err = nil // stopped meanwhile
		}
	}
	if err != nil {
		return end, err
	}
	return end, e.startAlone(ctx, again, events)
}

// RenameVM gives a VM that is stopped another name.
func (e *Engine) RenameVM(ctx context.Context, from, to string) error {
	return e.vms.Rename(ctx, from, to)
}

// Change is what of a VM's settings is to become another.
type Change struct {
	vm.Change
	Give secret.List // added to its secrets, or in place of those of the same name
}

// SetVM changes a VM's settings. waits names those that a guest that runs gets at its
// next start. Volumes that are not there yet are made.
func (e *Engine) SetVM(ctx context.Context, name string, c Change, events Events) (waits []string, err error) {
	if err := e.giveSecrets(ctx, name, &c); err != nil {
		return nil, err
	}
	if c.Mounts != nil {
		mounts, err := e.mountsOf(name, *c.Mounts)
		if err != nil {
			return nil, err
		}
		c.Mounts = &mounts
	}
	undo := func() {}
	if c.Volumes != nil {
		if undo, err = e.provideVolumes(ctx, *c.Volumes, events); err != nil {
			return nil, err
		}
	}
	if waits, err = e.vms.Set(ctx, name, c.Change); err != nil {
		undo()
	}
	return waits, err
}

// PruneVMs removes the VMs that are stopped and have all the labels. With an
// error comes what was removed before it.
func (e *Engine) PruneVMs(ctx context.Context, labels vm.Labels) (removed []string, err error) {
	return e.pruneVMs(ctx, labels, 0)
}

// pruneVMs is PruneVMs for those that have been down for a time.
func (e *Engine) pruneVMs(ctx context.Context, labels vm.Labels, age time.Duration) (removed []string, err error) {
	all, err := e.vms.List()
	if err != nil {
		return nil, err
	}
	for _, v := range all {
		if v.Damaged() || v.Ephemeral {
			continue // nobody knows what its disk is worth, or its run or build removes it
		}
		down := v.State.StoppedAt
		if down.IsZero() {
			down = v.CreatedAt
		}
		if v.State.Phase.Alive() || !v.Labels.Have(labels) || time.Since(down) < age {
			continue
		}
		err := e.vms.Remove(ctx, v.Name)
		switch {
		case err == nil:
			removed = append(removed, v.Name)
		case errors.As(err, new(*vm.PhaseError)), Gone(err): // started or removed meanwhile
		default:
			return removed, err
		}
	}
	return removed, nil
}
