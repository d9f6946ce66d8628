package supervisor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"banger/internal/agentapi"
	"banger/internal/vm"
)

// awaitGuest returns when the guest can serve, see awaitReady. A restored one has
// to become this VM's first.
func (s *supervisor) awaitGuest(ctx context.Context, b *boot, first bool) (*vm.Guest, error) {
	if s.startOf(b) == vm.Warm {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, warmTimeout, errSlow)
		defer stop()
	}
	if b.saved != nil {
		err := s.makeOwn(ctx, b)
		b.took.Identity = b.lap()
		select {
		case <-b.done: // which says more
		default:
			if err != nil {
				return nil, err
			}
		}
	}
	return s.awaitReady(ctx, b, first)
}

// awaitReady returns when the guest can serve, or why it never will. first tells
// that somebody waits for that, and may give up.
func (s *supervisor) awaitReady(ctx context.Context, b *boot, first bool) (*vm.Guest, error) {
	var givenUp <-chan struct{}
	if first {
		givenUp = s.letGo
	}
	timeout := time.NewTimer(s.BootTimeout)
	defer timeout.Stop()
	select {
	case event := <-b.agent.ready:
		b.took.Link = b.lap()
		return &vm.Guest{Kernel: event.Kernel, Init: event.Init, Warnings: b.agent.warnings()}, nil
	case <-b.done:
		return nil, s.earlyEnd(b)
	case <-s.console.halted:
		return nil, s.earlyEnd(b)
	case <-timeout.C:
		return nil, &guestError{what: fmt.Sprintf("the guest was not ready after %s", s.BootTimeout), console: s.console.tail()}
	case <-givenUp:
		return nil, errGivenUp
	case <-ctx.Done():
		if errors.Is(context.Cause(ctx), errSlow) {
			return nil, errSlow
		}
		return nil, errors.New("the supervisor was asked to end")
	}
}

// earlyEnd tells why the machine ended before the guest was ready.
func (s *supervisor) earlyEnd(b *boot) error {
	why := s.console.end()
	switch {
	case s.reasonAsked() != "":
		return endedEarly(s.reasonAsked())
	case why == "" && b.err != nil:
		return b.err
	case why == "":
		why = "the guest went down before it was ready"
	}
	return &guestError{what: why, console: s.console.tail(), again: strings.HasSuffix(why, agentapi.NoTimer)}
}

func endedEarly(asked string) error { return fmt.Errorf("the vm was %s while it started", asked) }
