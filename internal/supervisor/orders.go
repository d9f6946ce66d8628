package supervisor

import (
	"errors"
	"fmt"

	"banger/internal/vm"
)

func (s *supervisor) save(change func(*vm.State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.vm.State
	change(&s.vm.State)
	defer s.note(before)
	if err := s.spare.Use(func() error { return s.VMs.Save(s.vm) }); err != nil {
		fmt.Fprintln(s.Log, err)
	}
}

// setBoot says which boot orders go to. Where there was one already, that is the
// error.
func (s *supervisor) setBoot(b *boot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked != "" {
		return endedEarly(s.asked)
	}
	s.boot = b
	return nil
}

func (s *supervisor) unsetBoot() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.boot = nil
}

// stop asks the guest to shut down. One that cannot hear it yet has nothing to
// lose; one that is paused has to hear it first. The error is that the caller gave up
// before.
func (s *supervisor) stop(c *caller, why string) error {
	if err := s.resume(c); errors.Is(err, errLeft) {
		return err
	}
	if b := s.ending(why); b != nil && !b.agent.stop() {
		b.machine.Kill()
	}
	return nil
}

// kill pulls the plug.
func (s *supervisor) kill(why string) {
	if b := s.ending(why); b != nil {
		b.machine.Kill()
	}
}

// ending notes why the VM ends and returns the boot to end.
func (s *supervisor) ending(why string) (b *boot) {
	s.save(func(st *vm.State) {
		if st.Phase != vm.Stopped {
			st.Phase = vm.Stopping
		}
		s.asked, b = why, s.boot
		if s.launching != nil {
			s.launching(endedEarly(why))
		}
	})
	return b
}
