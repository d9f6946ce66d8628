package vm

import (
	"context"
	"errors"
	"fmt"
)

// killedStatus is a program's whose machine went down under it: docker's for
// what a KILL ended.
const killedStatus = 128 + 9

// Wait returns when the named VM's own program has ended, with its exit status.
// A VM that has none is waited for until it is down, and has the status 0.
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

// waitDown waits for a VM whose supervisor says nothing more.
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

// Touch begins the named VM's time to live, and its time without use, anew.
func (s *Store) Touch(ctx context.Context, name string) error { return s.order(ctx, name, OpTouch) }

// Signal sends a signal, SSH's name of it, to the named VM's own program.
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

// alive is a *PhaseError for a VM that does not run.
func (s *Store) alive(name string) error {
	v, err := s.Get(name)
	if err == nil && !v.State.Phase.Alive() {
		err = &PhaseError{Name: name, Phase: v.State.Phase}
	}
	return err
}
