package supervisor

import (
	"context"
	"time"

	"banger/internal/vm"
	"banger/internal/vmm"
)

// pauseTimeout is how long a VMM may take to stop its guest's CPUs, or to let
// them go on.
const pauseTimeout = 10 * time.Second

func (s *supervisor) pause() error {
	return s.switchPhase(vm.Running, vm.Paused, vmm.Machine.Pause)
}

func (s *supervisor) resume() error {
	return s.switchPhase(vm.Paused, vm.Running, vmm.Machine.Resume)
}

// switchPhase brings the VM from one phase to another.
func (s *supervisor) switchPhase(from, to vm.Phase, do func(vmm.Machine, context.Context) error) error {
	s.turns.Lock()
	defer s.turns.Unlock()
	s.mu.Lock()
	b, state := s.boot, s.vm.State
	s.mu.Unlock()
	if b == nil || state.Phase != from {
		return &vm.PhaseError{Name: s.Name, Phase: state.Phase}
	}
	ctx, cancel := context.WithTimeout(context.Background(), pauseTimeout)
	defer cancel()
	if err := do(b.machine, ctx); err != nil {
		return err
	}
	s.save(func(st *vm.State) {
		if st.Phase == from { // and not stopped meanwhile
			st.Phase = to
		}
	})
	return nil
}
