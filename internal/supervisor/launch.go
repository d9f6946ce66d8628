package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"banger/internal/vmm"
)

var errGivenUp = errors.New("the start was given up")

// launch starts the VMM, with a new guest or a saved one. The files of that one are in
// use then, and have no name any more. A VMM that hangs is given up.
func (s *supervisor) launch(b *boot, first bool) (vmm.Machine, error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	b.release = func() { cancel(nil) }
	defer s.whileLaunching(cancel, first)()
	machine, err := s.launchIn(ctx, b)
	if why := context.Cause(ctx); err != nil && why != nil {
		err = why
	}
	return machine, err
}

func (s *supervisor) launchIn(ctx context.Context, b *boot) (vmm.Machine, error) {
	if b.saved == nil {
		return s.Backend.Start(ctx, s.config(), b.network)
	}
	defer os.RemoveAll(b.saved.dir)
	return s.Backend.Restore(ctx, s.config(), b.saved.dir, b.network)
}

// whileLaunching calls giveUp, until end is called, if the VM's end is asked for, nobody
// waits for its start any more, or it takes longer than a boot may.
func (s *supervisor) whileLaunching(giveUp context.CancelCauseFunc, first bool) (end func()) {
	s.setLaunching(giveUp)
	var late <-chan time.Time
	if s.BootTimeout > 0 {
		late = time.After(s.BootTimeout)
	}
	var letGo <-chan struct{}
	if first {
		letGo = s.letGo
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-letGo:
			giveUp(errGivenUp)
		case <-late:
			giveUp(fmt.Errorf("the VMM did not start the guest within %s", s.BootTimeout))
		case <-ended:
		}
	}()
	return func() {
		close(ended)
		s.setLaunching(nil)
	}
}

// setLaunching says what ends a launch, nil where none is under way.
func (s *supervisor) setLaunching(giveUp context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.launching = giveUp; giveUp != nil && s.asked != "" {
		giveUp(endedEarly(s.asked))
	}
}
