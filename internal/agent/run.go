package agent

import (
	"cmp"
	"context"
	"io"

	"banger/internal/agentapi"
)

// Streams are a guest program's standard streams, on the host.
type Streams struct {
	Stdin  io.Reader // nil is an empty one
	Stdout io.Writer
	Stderr io.Writer
}

// Size is a terminal's size.
type Size = agentapi.Size

// Terminal asks for a pseudo terminal in the guest.
type Terminal struct {
	Type    string        // TERM
	Size    agentapi.Size // at the start
	Resized <-chan Size   // later ones
}

// Program is what to run.
type Program struct {
	Exec     agentapi.Exec
	Terminal *Terminal     // nil is none
	Signals  <-chan string // to be passed on: names without SIG
	Patient  bool          // signals wait for the program, and hang up on nothing
}

// Run runs a program in the guest and returns its exit status. Ending ctx hangs
// up. So does a signal that comes within two seconds after another, or that the
// guest does not take within one: the error is ErrInterrupted then.
func (c *Client) Run(ctx context.Context, p Program, streams Streams) (int, error) {
	ctx, hangUp := context.WithCancelCause(ctx)
	defer hangUp(nil)
	started := make(chan *call, 1)
	heed := attention{signals: p.Signals, started: started, hangUp: func() { hangUp(ErrInterrupted) }}
	if p.Terminal != nil && streams.Stdin != nil {
		typed := newKeyboard(ctx, streams.Stdin)
		streams.Stdin, heed.pressed = typed, typed.pressed
	}
	if p.Patient {
		go passOn(ctx, p.Signals, started)
	} else {
		go heed.pay(ctx)
	}
	conn, err := c.dial(ctx)
	if err != nil {
		return 0, cmp.Or(context.Cause(ctx), err)
	}
	return await(ctx, conn, func() (int, error) {
		request := agentapi.ExecStream{User: c.user, Terminal: p.Terminal.asked(), Exec: p.Exec}
		call, err := begin(conn, agentapi.StreamExec, request)
		if err != nil {
			return 0, err
		}
		started <- call
		go p.Terminal.follow(ctx, call)
		return call.transfer(streams)
	})
}

// follow passes the terminal's sizes on until ctx ends.
func (t *Terminal) follow(ctx context.Context, c *call) {
	if t == nil {
		return
	}
	for {
		select {
		case size := <-t.Resized:
			c.Send(agentapi.Message{Resize: &size})
		case <-ctx.Done():
			return
		}
	}
}

func (t *Terminal) asked() *agentapi.Terminal {
	if t == nil {
		return nil
	}
	return &agentapi.Terminal{Type: t.Type, Size: t.Size}
}
