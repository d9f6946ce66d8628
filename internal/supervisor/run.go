package supervisor

import (
	"context"
	"time"

	"banger/internal/vm"
)

// once boots the guest and stays until it is down. again tells that the guest
// asked for a reboot; the error is why it never became ready.
func (s *supervisor) once(ctx context.Context, first bool) (again bool, err error) {
	s.save(func(st *vm.State) {
		*st = vm.State{Phase: vm.Starting, StartedAt: time.Now().UTC(), Ports: st.Ports, Volumes: st.Volumes, Main: st.Main, ExpiresAt: st.ExpiresAt}
		if first {
			st.Main, st.ExpiresAt = nil, expiry(s.vm.TTL)
		}
	})
	reason, err := s.bootAndWait(ctx, first)
	if err != nil {
		reason = err.Error()
	}
	s.unsetBoot()
	again = err == nil && reason == rebooted && !s.vm.Ephemeral
	s.save(func(st *vm.State) {
		st.Phase, st.VMMPID, st.StoppedAt, st.Reason = vm.Stopped, 0, time.Now().UTC(), clip(reason, maxReason)
		st.Failed = err != nil || s.asked == "" && reason != rebooted && reason != poweredOff
		if again {
			st.Phase = vm.Starting // nobody is to take this for its end
		}
	})
	return again, err
}

func (s *supervisor) bootAndWait(ctx context.Context, first bool) (reason string, err error) {
	b, guest, err := s.bootReady(ctx, first)
	if err != nil {
		return "", err
	}
	defer b.cleanup()
	s.save(func(st *vm.State) {
		if s.asked == "" {
			st.Phase = vm.Running
		}
		st.ReadyAt, st.Guest, st.Start = time.Now().UTC(), guest, s.startOf(b)
		took := b.took
		st.Took = &took
		s.vm.Copied = false
	})
	s.runMain(b)
	if first {
		s.Starter.Send(vm.Report{Ready: true})
	}
	releaseBoot()
	defer s.publishAll(b)()
	go s.makeWhenQuiet(b)
	s.awaitDown(ctx, b)
	return s.reason(b.err), nil
}

// awaitDown waits until the machine has ended, and ends it if it does not by itself.
func (s *supervisor) awaitDown(ctx context.Context, b *boot) {
	var runEnded, mainEnded <-chan struct{}
	v := s.spec()
	if (v.Ephemeral && !v.Detached) || s.Foreground {
		runEnded = s.letGo
	}
	if v.Ephemeral && v.Detached {
		mainEnded = s.main.ended
	}
	select {
	case <-b.done:
	case why := <-s.outlived(b):
		s.end(b, why)
	case <-mainEnded:
		s.main.answer()
		s.settle(b)
		s.kill("its command ended")
	case <-s.abandoned(b):
		s.kill("its start was given up")
	case <-runEnded:
		s.endRun(b)
	case <-s.console.halted: // some VMMs leave a halted guest's CPUs spinning
		b.machine.Kill()
	case <-ctx.Done():
		s.end(b, "the supervisor was asked to end")
	}
	<-b.done
}
