package engine

import (
	"context"
	"io"

	"banger/internal/supervisor"
	"banger/internal/vm"
)

// main is the program as a VM keeps it, to run it at each start. dir is where it runs
// unless it says otherwise.
func (p Program) main(dir string) *vm.Main {
	m := vm.Main{Argv: p.Argv, Dir: p.Dir, Env: p.Env, User: p.User, WaitInit: p.WaitInit}
	if m.Dir == "" {
		m.Dir = dir
	}
	return &m
}

// detach leaves a VM that has come up running by itself, after copying in the directory
// that its program needs.
func (e *Engine) detach(ctx context.Context, v vm.VM, lease *vm.Lease, copied copiedDir, o RunOptions) (Run, error) {
	err := ctx.Err()
	if err == nil && copied.dir != "" {
		_, _, err = e.prepare(ctx, v.Name, copied, o)
	}
	if err != nil {
		lease.Abandon()
		o.Events.warn(e.removeIfThere(ctx, v.Name))
		return Run{}, err
	}
	return Run{VM: v, Kept: true}, lease.End()
}

// mainOf returns what runs a VM's own program, for its supervisor.
func (e *Engine) mainOf(v vm.VM) supervisor.Main {
	if v.Main == nil {
		return nil
	}
	m := *v.Main
	return func(ctx context.Context, out io.Writer, signals <-chan string) (status int, ran bool, err error) {
		image, err := e.container(v.Name)
		if err != nil {
			return 0, true, err
		}
		p := Program{Argv: m.Argv, Dir: m.Dir, Env: m.Env, User: m.User, WaitInit: m.WaitInit}
		p = p.in(image).orEntrypoint(image)
		if len(p.Argv) == 0 {
			return 0, false, nil
		}
		p.Attach = func() (Attachment, error) {
			return Attachment{Stdout: out, Stderr: out, Signals: signals, Patient: true}, nil
		}
		status, err = p.run(ctx, e.agent(v.Name, p.User))
		return status, true, err
	}
}

// WaitVM returns when a VM's own program has ended, with its exit status. A VM
// without one is waited for until it is down, and has the status 0.
func (e *Engine) WaitVM(ctx context.Context, name string) (status int, err error) {
	return e.vms.Wait(ctx, name)
}

// TouchVM begins a VM's time to live, and its time without use, anew.
func (e *Engine) TouchVM(ctx context.Context, name string) error { return e.vms.Touch(ctx, name) }

// KillVM pulls a VM's plug, or sends its own program another signal than KILL,
// whose name is SSH's.
func (e *Engine) KillVM(ctx context.Context, name, signal string) error {
	if signal != "KILL" {
		return e.vms.Signal(ctx, name, signal)
	}
	if _, err := e.vms.Get(name); err != nil {
		return err
	}
	return e.vms.KillRunning(ctx, name)
}
