package process

import (
	"context"
	"os/exec"
	"runtime"
	"syscall"
)

// Child is a program that runs beside this one.
type Child struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Start starts c. Cancelling ctx kills it; it is killed as well when this
// process dies.
func Start(ctx context.Context, c Cmd) (*Child, error) {
	cmd, tail, err := c.command(ctx)
	if err != nil {
		return nil, err
	}
	child := &Child{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		defer close(child.done)
		child.err = onOneThread(func() error {
			err := cmd.Start()
			started <- err
			if err != nil {
				return err
			}
			return cmd.Wait()
		})
		if child.err != nil {
			child.err = c.fault(ctx, child.err, tail)
		}
	}()
	if err := <-started; err != nil {
		<-child.done
		return nil, child.err
	}
	return child, nil
}

// PID returns the child's process number.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Kill ends the child at once; one that has ended is left alone.
func (c *Child) Kill() { c.cmd.Process.Kill() }

// Wait returns when the child has ended, each time with the same result: nil
// or an *Error.
func (c *Child) Wait() error {
	<-c.done
	return c.err
}

// StartDetached starts c in a session of its own, to outlive this process. ended
// is closed when it has ended, should this process live longer.
func StartDetached(c Cmd) (ended <-chan struct{}, err error) {
	cmd, _, err := c.command(context.Background())
	if err != nil {
		return nil, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stderr = c.Stderr
	start := cmd.Start
	if c.Idle {
		start = func() error { return idly(cmd.Start) }
	}
	if err := start(); err != nil {
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		cmd.Wait()
		close(done)
	}()
	return done, nil
}

// onOneThread keeps f, which starts a child and waits for it, on one thread:
// the parent-death signal comes when the thread ends, not the process.
func onOneThread(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return f()
}
