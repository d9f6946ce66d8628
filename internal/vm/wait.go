package vm

import (
	"context"
	"errors"
	"fmt"
)

// killedStatus is the exit status of a program whose machine went down under it: docker's
// for a program ended by SIGKILL.
const killedStatus = 128 + 9

// Wait waits until the named VM's own program has ended, and returns its exit status. If
// the VM has none, it waits until the VM is down and returns 0.
func (s *Store) Wait(ctx context.Context, name string) (status int, err error) {
	v, err := s.Get(name)
	if err != nil {
		return 0, err
	}
	if !v.State.Phase.Alive() {
		return v.State.Main.exit()
	}
	conn, _, err := s.request(ctx, name, Request{Op: OpWait})
	if err == nil {
		defer conn.Close()
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		defer stop()
		var reply Reply
		switch err := conn.ReadJSON(&reply); {
		case err == nil && reply.Status != nil:
			return *reply.Status, nil
		case err == nil:
			return 0, errors.New(reply.Error)
		}
	}
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if err != nil && !errors.As(err, new(*PhaseError)) {
		return 0, err
	}
	return s.waitDown(ctx, name)
}

// waitDown waits until a VM is down whose supervisor reports nothing more.
func (s *Store) waitDown(ctx context.Context, name string) (int, error) {
	if err := s.awaitStopped(ctx, name); err != nil {
		return 0, err
	}
	v, err := s.Get(name)
	if errors.As(err, new(*NotFoundError)) {
		return 0, nil // removed, as it is where it goes with its end
	}
	if err != nil {
		return 0, err
	}
	return v.State.Main.exit()
}

// exit is the status of a program whose VM is down.
func (m *MainState) exit() (int, error) {
	switch {
	case m == nil:
		return 0, nil
	case m.Error != "":
		return 0, fmt.Errorf("its command was lost: %s", m.Error)
	case m.Status == nil:
		return killedStatus, nil
	}
	return *m.Status, nil
}

// Touch restarts the named VM's time to live and its idle time.
func (s *Store) Touch(ctx context.Context, name string) error { return s.order(ctx, name, OpTouch) }

// Signal sends a signal, by the name that SSH has for it, to the named VM's own program.
func (s *Store) Signal(ctx context.Context, name, signal string) error {
	if err := s.alive(name); err != nil {
		return err
	}
	conn, _, err := s.request(ctx, name, Request{Op: OpSignal, Signal: signal})
	if err != nil {
		return err
	}
	return conn.Close()
}

// alive returns a *PhaseError if the VM does not run.
func (s *Store) alive(name string) error {
	v, err := s.Get(name)
	if err == nil && !v.State.Phase.Alive() {
		err = &PhaseError{Name: name, Phase: v.State.Phase}
	}
	return err
}
