package agent

import (
	"context"
	"io"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sync/errgroup"

	"banger/internal/agentapi"
)

// Streams are a guest program's standard streams, on the host.
type Streams struct {
	Stdin  io.Reader // nil is an empty one
	Stdout io.Writer
	Stderr io.Writer
}

// Size is a terminal's size in characters.
type Size struct{ Columns, Rows int }

// Terminal asks for a pseudo terminal in the guest.
type Terminal struct {
	Type    string      // TERM
	Size    Size        // at the start
	Resized <-chan Size // later ones
}

// Program is what to run.
type Program struct {
	Exec     agentapi.Exec
	Terminal *Terminal     // nil is none
	Signals  <-chan string // to be passed on: SSH's names, without SIG
}

// Run runs a program in the guest and returns its exit status. Ending ctx hangs
// up and closes the connection. So does a signal that comes within two seconds
// after another, or that the guest does not take within one: the error is
// ErrInterrupted then.
func (c *Client) Run(ctx context.Context, p Program, streams Streams) (int, error) {
	start, err := jsonRequest(agentapi.RequestExec, p.Exec)
	if err != nil {
		return 0, err
	}
	ctx, hangUp := context.WithCancelCause(ctx)
	defer hangUp(nil)
	started := make(chan ssh.Channel, 1)
	heed := attention{signals: p.Signals, started: started, hangUp: func() { hangUp(ErrInterrupted) }}
	if p.Terminal != nil && streams.Stdin != nil {
		typed := newKeyboard(ctx, streams.Stdin)
		streams.Stdin, heed.pressed = typed, typed.pressed
	}
	go heed.pay(ctx)
	return c.await(ctx, func() (int, error) {
		channel, requests, err := c.open(start, p.Terminal.request()...)
		if err != nil {
			return 0, err
		}
		defer channel.Close()
		started <- channel
		go p.Terminal.follow(ctx, channel)
		return transfer(channel, requests, streams)
	})
}

// transfer copies the streams until the program has ended and all that it
// wrote is here. Where that cannot be written, it hangs up.
func transfer(channel ssh.Channel, requests <-chan *ssh.Request, streams Streams) (int, error) {
	go func() {
		if streams.Stdin != nil {
			io.Copy(channel, streams.Stdin)
		}
		channel.CloseWrite()
	}()
	var outputs errgroup.Group
	output := func(to io.Writer, from io.Reader) {
		outputs.Go(func() error {
			_, err := io.Copy(to, from)
			if err != nil {
				channel.Close()
			}
			return err
		})
	}
	output(streams.Stdout, channel)
	output(streams.Stderr, channel.Stderr())
	status, err := awaitExit(requests)
	if err := outputs.Wait(); err != nil {
		return 0, err // which is why the end was not heard of
	}
	return status, err
}

// follow passes the terminal's sizes on until ctx ends.
func (t *Terminal) follow(ctx context.Context, channel ssh.Channel) {
	if t == nil {
		return
	}
	for {
		select {
		case size := <-t.Resized:
			channel.SendRequest("window-change", false, ssh.Marshal(window(size)))
		case <-ctx.Done():
			return
		}
	}
}

// windowSize is RFC 4254's window-change; pty-req has the same in its middle.
type windowSize struct{ Columns, Rows, Width, Height uint32 }

type ptyRequest struct {
	Term                         string
	Columns, Rows, Width, Height uint32
	Modes                        string
}

// noModes ends the list of terminal modes before it begins.
const noModes = "\x00"

func window(s Size) windowSize {
	return windowSize{Columns: uint32(s.Columns), Rows: uint32(s.Rows)}
}

func (t *Terminal) request() []request {
	if t == nil {
		return nil
	}
	return []request{{"pty-req", ssh.Marshal(ptyRequest{
		Term: t.Type, Columns: uint32(t.Size.Columns), Rows: uint32(t.Size.Rows), Modes: noModes,
	})}}
}
