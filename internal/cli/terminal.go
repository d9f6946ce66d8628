package cli

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"banger/internal/agent"
)

// terminal decides whether the guest's program gets a terminal and makes this
// process's one raw; leave undoes that. Both input and output have to be a
// terminal: in a pipe, one would mangle bytes and mix up the streams.
func (a *app) terminal(p programOptions) (t *agent.Terminal, leave func(), err error) {
	out, isFile := a.raw.Out.(*os.File)
	can := a.In != nil && term.IsTerminal(int(a.In.Fd())) && isFile && term.IsTerminal(int(out.Fd()))
	switch {
	case p.tty && p.noTTY:
		return nil, nil, errors.New("--tty and --no-tty exclude each other")
	case p.tty && !can:
		return &agent.Terminal{Type: termType(), Size: agent.Size{Columns: 80, Rows: 24}}, func() {}, nil
	case p.noTTY || !can:
		return nil, func() {}, nil
	}
	return rawTerminal(int(a.In.Fd()), int(out.Fd()))
}

func rawTerminal(in, out int) (*agent.Terminal, func(), error) {
	state, err := term.MakeRaw(in)
	if err != nil {
		return nil, nil, fmt.Errorf("set up the terminal: %w", err)
	}
	t := &agent.Terminal{Type: termType(), Size: sizeOf(out)}
	resized, stop := watchSize(out)
	t.Resized = resized
	return t, func() {
		stop()
		term.Restore(in, state)
	}, nil
}

func termType() string { return or(os.Getenv("TERM"), "xterm") }

func sizeOf(fd int) agent.Size {
	columns, rows, err := term.GetSize(fd)
	if err != nil {
		columns, rows = 80, 24
	}
	return agent.Size{Columns: uint32(columns), Rows: uint32(rows)}
}

// watchSize sends the terminal's size each time it changes.
func watchSize(fd int) (<-chan agent.Size, func()) {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	sizes, done := make(chan agent.Size), make(chan struct{})
	go func() {
		for {
			select {
			case <-changed:
			case <-done:
				return
			}
			select {
			case sizes <- sizeOf(fd):
			case <-done:
				return
			}
		}
	}()
	return sizes, func() {
		signal.Stop(changed)
		close(done)
	}
}

// leave returns what ends this process at once, with its terminal as it was.
func (a *app) leave() func() {
	restore := func() {}
	if a.In != nil {
		if state, err := term.GetState(int(a.In.Fd())); err == nil {
			restore = func() { term.Restore(int(a.In.Fd()), state) }
		}
	}
	return func() {
		restore()
		fmt.Fprintln(a.raw.Err, "banger: interrupted")
		os.Exit(exitInterrupted)
	}
}
