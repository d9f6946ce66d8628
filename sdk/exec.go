package sdk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"banger/internal/engine"
)

// Cmd is a program in a guest, in the manner of os/exec's. It is used once.
type Cmd struct {
	Args []string // the program and its arguments; no shell is between
	Dir  string   // below the user's home where relative; "" is that, or what the image says
	Env  []string // KEY=VALUE, added to the user's
	User string   // "" is what the image says, or root

	Stdin  io.Reader // nil is an empty one
	Stdout io.Writer // nil is discarded
	Stderr io.Writer

	vm      *VM
	ctx     context.Context
	pipes   []io.Closer // that are closed when the program has ended
	signals chan string
	done    chan struct{} // nil until Start
	status  int
	err     error
}

// Exec returns a Cmd that runs a program in the running VM. ctx ending hangs up,
// which ends the program.
func (v *VM) Exec(ctx context.Context, name string, arg ...string) *Cmd {
	return &Cmd{Args: append([]string{name}, arg...), vm: v, ctx: ctx, signals: make(chan string)}
}

// StdinPipe returns what is the program's standard input, whose end is Close. It is
// called before Start.
func (c *Cmd) StdinPipe() (io.WriteCloser, error) {
	if c.Stdin != nil || c.done != nil {
		return nil, errors.New("sdk: Stdin is set, or the program has been started")
	}
	r, w := io.Pipe()
	c.Stdin, c.pipes = r, append(c.pipes, r)
	return w, nil
}

// StdoutPipe returns what the program's standard output is read from. It is called
// before Start, and read to its end, or closed, before Wait.
func (c *Cmd) StdoutPipe() (io.ReadCloser, error) { return c.outputPipe(&c.Stdout) }

// StderrPipe is StdoutPipe of the standard error.
func (c *Cmd) StderrPipe() (io.ReadCloser, error) { return c.outputPipe(&c.Stderr) }

func (c *Cmd) outputPipe(to *io.Writer) (io.ReadCloser, error) {
	if *to != nil || c.done != nil {
		return nil, errors.New("sdk: the output is set, or the program has been started")
	}
	r, w := io.Pipe()
	*to, c.pipes = w, append(c.pipes, w)
	return r, nil
}

// Signal sends the program a signal, by its name without SIG, such as INT. One that has
// ended gets none, which is no error.
func (c *Cmd) Signal(name string) error {
	if c.done == nil {
		return errors.New("sdk: not started")
	}
	select {
	case c.signals <- name:
	case <-c.done:
	}
	return nil
}

// Start starts the program and does not wait for it. That it cannot be started
// is heard of from Wait.
func (c *Cmd) Start() error {
	if c.done != nil {
		return errors.New("sdk: already started")
	}
	c.done = make(chan struct{})
	stdout, stderr := streams(c.Stdout, c.Stderr)
	p := engine.Program{Argv: slices.Clone(c.Args), Dir: c.Dir, Env: c.Env, User: c.User, Attach: func() (engine.Attachment, error) {
		return engine.Attachment{Stdin: c.Stdin, Stdout: stdout, Stderr: stderr, Signals: c.signals, Patient: true}, nil
	}}
	go func() {
		defer close(c.done)
		defer func() {
			for _, p := range c.pipes {
				p.Close()
			}
		}()
		c.status, c.err = c.vm.client.engine.ExecVM(c.ctx, c.vm.name, p)
	}()
	return nil
}

// Wait returns when the program has ended and what it wrote is there. The error
// is an *ExitError where its status is not 0, and the context's where that ended it.
func (c *Cmd) Wait() error {
	if c.done == nil {
		return errors.New("sdk: not started")
	}
	<-c.done
	if c.err == nil && c.status != 0 {
		return &ExitError{Status: c.status}
	}
	if c.err != nil && c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	return explain(c.err)
}

// Run starts the program and waits for it.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Output runs the program and returns what it wrote to its standard output. As
// much as it writes is kept: guests that are not trusted get a Stdout with a
// bound, and Run.
func (c *Cmd) Output() ([]byte, error) {
	if c.Stdout != nil {
		return nil, errors.New("sdk: Stdout is set")
	}
	var out bytes.Buffer
	var said tail
	c.Stdout = &out
	if c.Stderr == nil {
		c.Stderr = &said
	}
	err := c.Run()
	if exit, ok := errors.AsType[*ExitError](err); ok {
		exit.Stderr = said
	}
	return out.Bytes(), err
}

// CombinedOutput is Output of both streams.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	if c.Stdout != nil || c.Stderr != nil {
		return nil, errors.New("sdk: Stdout or Stderr is set")
	}
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.Bytes(), err
}
