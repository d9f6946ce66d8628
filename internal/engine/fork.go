package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"banger/internal/snapshot"
	"banger/internal/statedir"
	"banger/internal/vm"
)

var errTaken = statedir.ErrExist

// ForkOptions say how to copy a running VM.
type ForkOptions struct {
	VM    string
	Name  string // of the copy, or what the names of several begin with; "" is made up
	Count int
}

// maxForks bounds how many copies are made by one call.
const maxForks = 1000

// forksAtOnce is how many are started at a time.
const forksAtOnce = 4

// ForkVM makes running copies of a running VM, which goes on. If one of them does not come
// up, all are removed.
func (e *Engine) ForkVM(ctx context.Context, o ForkOptions, events Events) ([]vm.VM, error) {
	if o.Count < 1 || o.Count > maxForks {
		return nil, fmt.Errorf("%d copies: at least one, and %d at most, are made at a time", o.Count, maxForks)
	}
	events = events.serial()
	draft, err := e.snapshots.Draft()
	if err != nil {
		return nil, err
	}
	defer draft.Discard()
	events.stage("saving " + o.VM)
	snap, err := e.save(ctx, o.VM, draft, events)
	if err != nil {
		return nil, err
	}
	if !snap.Running {
		return nil, &vm.PhaseError{Name: o.VM, Phase: vm.Stopped}
	}
	return e.fork(ctx, snap, draft.Dir(), forkNames(o), events)
}

func forkNames(o ForkOptions) (names []string) {
	stem := cmp.Or(o.Name, madeUpName(o.VM))
	if o.Count == 1 {
		return []string{stem}
	}
	for i := range o.Count {
		names = append(names, fmt.Sprintf("%s-%d", stem, i))
	}
	return names
}

func (e *Engine) fork(ctx context.Context, snap snapshot.Snapshot, dir string, names []string, events Events) ([]vm.VM, error) {
	v, origin, err := e.copyOf(ctx, snap, dir, false)
	if err != nil {
		return nil, err
	}
	origin.Label = ""
	var (
		turns  = make(chan struct{}, forksAtOnce)
		copies = make([]vm.VM, len(names))
		errs   = make([]error, len(names))
		all    sync.WaitGroup
	)
	for i, name := range names {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			v := v
			v.Name = name
			copies[i], errs[i] = e.forkOne(ctx, v, origin, events)
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		for i, name := range names {
			if errs[i] == nil {
				events.warn(e.RemoveVM(context.WithoutCancel(ctx), name, true))
			}
		}
		return nil, cmp.Or(errs...)
	}
	return copies, nil
}

// forkOne makes one copy and starts it.
func (e *Engine) forkOne(ctx context.Context, v vm.VM, origin vm.Origin, events Events) (vm.VM, error) {
	v, err := e.vms.CreateCopy(ctx, v, origin)
	if err != nil {
		return v, err
	}
	lease, err := e.start(ctx, SuperviseOptions{Name: v.Name}, events)
	if err != nil {
		events.warn(e.removeIfThere(ctx, v.Name))
		return v, err
	}
	return v, lease.End()
}
