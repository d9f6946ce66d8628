package engine

import (
	"context"
	"errors"
	"fmt"
	"io"

	"banger/internal/agent"
	"banger/internal/vm"
)

// runForeground runs a program in a VM that goes down with it, or shows the
// console of one that has none until it is down. ctx ending shuts the guest down,
// which ends the program as it will.
func (e *Engine) runForeground(ctx context.Context, name string, client *agent.Client, p Program) (status int, err error) {
	lasting := context.WithoutCancel(ctx)
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		_, err := e.StopVM(lasting, name, StopOptions{Patience: DefaultPatience})
		stopped <- err
	})
	if len(p.Argv) > 0 || p.Line != "" {
		status, err = p.forwardAndRun(lasting, client)
	} else {
		err = e.showConsole(lasting, name, p)
	}
	if !stop() {
		return status, errors.Join(err, <-stopped)
	}
	return status, err
}

// showConsole writes a guest's console to the program's output until it is down.
// The error is why it went down where nobody wanted that.
func (e *Engine) showConsole(ctx context.Context, name string, p Program) error {
	out := io.Discard
	if p.Attach != nil {
		to, err := p.Attach()
		if err != nil {
			return err
		}
		if to.Detach != nil {
			defer to.Detach()
		}
		out = to.Stdout
	}
	if err := e.VMLog(ctx, name, LogOptions{Source: ConsoleLog, Follow: true}, out); err != nil {
		return err
	}
	v, err := e.vms.Get(name)
	if errors.As(err, new(*vm.NotFoundError)) {
		return nil
	}
	if err == nil && v.State.Failed {
		err = fmt.Errorf("vm %q ended: %s", name, v.State.Reason)
	}
	return err
}
