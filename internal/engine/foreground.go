package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"banger/internal/agent"
	"banger/internal/vm"
)

type (
	// Ready says that a VM in the foreground is up, and does what it is for.
	Ready struct{}
	// Stopping says that it goes down.
	Stopping struct{}
)

func (Ready) event()    {}
func (Stopping) event() {}

// StartForeground boots an existing VM as a part of this process: the end of ctx, or of the
// process, shuts it down. It shows what the VM's own program writes; when that has ended,
// it shuts the VM down and returns the exit status. Of a VM without a program it shows the
// console until the VM is down.
func (e *Engine) StartForeground(ctx context.Context, name string, attach func() (Attachment, error), events Events) (int, error) {
	v, err := e.vms.Get(name)
	if err == nil && v.Ephemeral {
		err = &vm.EphemeralError{Name: name}
	}
	if err != nil {
		return 0, err
	}
	lease, err := e.start(ctx, SuperviseOptions{Name: name, Foreground: true}, events)
	if err != nil {
		return 0, err
	}
	return e.keepForeground(ctx, v, lease, attach, events)
}

// keepForeground is StartForeground for a VM that has just come up.
func (e *Engine) keepForeground(ctx context.Context, v vm.VM, lease *vm.Lease, attach func() (Attachment, error), events Events) (int, error) {
	lease.Foreground()
	status, err := e.inForeground(ctx, v.Name, events, func(ctx context.Context) (int, error) {
		if v.Main == nil {
			return 0, e.showLog(ctx, v.Name, ConsoleLog, attach)
		}
		if err := lease.HandOver(); err != nil { // its program begins
			return 0, err
		}
		return e.showMain(ctx, v.Name, attach)
	})
	events.warn(lease.End())
	return status, err
}

// runForeground runs a program in a VM that goes down with it, or shows the
// console of one that has none until it is down.
func (e *Engine) runForeground(ctx context.Context, name string, client *agent.Client, p Program, o RunOptions) (int, error) {
	return e.inForeground(ctx, name, o.Events, func(ctx context.Context) (int, error) {
		if len(p.Argv) > 0 || p.Line != "" {
			return p.forwardAndRun(ctx, client)
		}
		return 0, e.showLog(ctx, name, ConsoleLog, o.Console)
	})
}

// foregroundPatience is how long a guest in the foreground may take to shut down: systemd's
// own timeout before it sends SIGKILL, less what the rest of the end may take.
const foregroundPatience = 80 * time.Second

// Exit statuses, as shells have them, of programs that end with their machine.
const (
	statusTerminated = 128 + 15
	statusKilled     = 128 + 9
)

// inForeground calls do, which is what a VM in the foreground is for. The end of ctx shuts
// the guest down, by which do ends too.
func (e *Engine) inForeground(ctx context.Context, name string, events Events, do func(context.Context) (int, error)) (int, error) {
	lasting := context.WithoutCancel(ctx)
	events = events.serial()
	events.send(Ready{})
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		events.send(Stopping{})
		stopped <- e.stopForeground(lasting, name)
	})
	status, err := do(lasting)
	if stop() {
		events.send(Stopping{})
		return status, err
	}
	if stopErr := <-stopped; stopErr != nil {
		return status, errors.Join(err, stopErr)
	}
	if err != nil || status == statusKilled {
		return statusTerminated, nil //nolint:nilerr // it went down with the machine, as was asked for
	}
	return status, nil
}

// stopForeground shuts a VM down that may be down already.
func (e *Engine) stopForeground(ctx context.Context, name string) error {
	_, err := e.StopVM(ctx, name, StopOptions{Patience: foregroundPatience})
	if errors.As(err, new(*vm.PhaseError)) || errors.As(err, new(*vm.NotFoundError)) {
		return nil
	}
	return err
}

// showMain shows what a VM's own program writes, and shuts the VM down when that
// has ended.
func (e *Engine) showMain(ctx context.Context, name string, attach func() (Attachment, error)) (int, error) {
	shown := make(chan error, 1)
	go func() { shown <- e.showLog(ctx, name, OwnLog, attach) }()
	status, err := e.WaitVM(ctx, name)
	return status, errors.Join(err, e.stopForeground(ctx, name), <-shown)
}

// showLog writes a VM's log to what attach opens until the VM is down. The error says why
// the VM went down, if nobody asked for that.
func (e *Engine) showLog(ctx context.Context, name string, source LogSource, attach func() (Attachment, error)) error {
	out := io.Discard
	if attach != nil {
		to, err := attach()
		if err != nil {
			return err
		}
		if to.Detach != nil {
			defer to.Detach()
		}
		out = to.Stdout
	}
	if err := e.VMLog(ctx, name, LogOptions{Source: source, Follow: true}, out); err != nil {
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
