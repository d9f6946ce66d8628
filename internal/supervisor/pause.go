package supervisor

import (
	"context"
	"time"

	"banger/internal/vm"
)

// pauseTimeout is how long a VMM may take to stop its guest's CPUs, or to let
// them go on.
const pauseTimeout = 10 * time.Second

func (s *supervisor) pause(c *caller) error {
	return s.switchPhase(c, "it is being paused", vm.Running, vm.Paused, (*boot).pause)
}

// pause holds the guest still. A VMM that was too slow to say so may do it yet, and
// nobody would know.
func (b *boot) pause(ctx context.Context) error {
	err := b.machine.Pause(ctx)
	if err != nil {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
		defer cancel()
		_ = b.machine.Resume(undo) // which is asked for, also where nothing is heard of that
	}
	return err
}

const undoTimeout = time.Second

func (s *supervisor) resume(c *caller) error {
	return s.switchPhase(c, "it is being resumed", vm.Paused, vm.Running, (*boot).resume)
}

// resume lets the guest go on. Its clock stood still.
func (b *boot) resume(ctx context.Context) error {
	if err := b.machine.Resume(ctx); err != nil {
		return err
	}
	go b.agent.checkTime()
	return nil
}

// switchPhase brings the VM from one phase to another.
func (s *supervisor) switchPhase(c *caller, doing string, from, to vm.Phase, do func(*boot, context.Context) error) error {
	end, err := s.turns.take(doing, c)
	if err != nil {
		return err
	}
	defer end()
	s.mu.Lock()
	b, state := s.boot, s.vm.State
	s.mu.Unlock()
	if b == nil || state.Phase != from {
		return &vm.PhaseError{Name: s.Name, Phase: state.Phase}
	}
	ctx, cancel := context.WithTimeout(context.Background(), pauseTimeout)
	defer cancel()
	if err := do(b, ctx); err != nil {
		return err
	}
	s.save(func(st *vm.State) {
		if st.Phase == from { // and not stopped meanwhile
			st.Phase = to
		}
	})
	return nil
}
