package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"banger/internal/agentapi"
	"banger/internal/ports"
	"banger/internal/statedir"
	"banger/internal/usernet"
	"banger/internal/usernet/policy"
	"banger/internal/vm"
)

// ListVMs returns all VMs, sorted by name.
func (e *Engine) ListVMs() ([]vm.VM, error) { return e.vms.List() }

// VM returns the named VM as it is now.
func (e *Engine) VM(name string) (vm.VM, error) { return e.vms.Get(name) }

// Sweep clears up what processes that were killed have left, in the whole state
// tree. It is quick. It returns the names of the VMs that it removed: ephemeral
// ones whose run or build is gone.
func (e *Engine) Sweep() (removed []string) {
	removed = e.vms.Sweep()
	e.makings.Sweep()
	e.snapshots.Sweep()
	e.Dirs.Sweep()
	return removed
}

// StartVM boots a VM that is stopped. If it belongs to a run or a build, the error is a
// *vm.EphemeralError.
func (e *Engine) StartVM(ctx context.Context, name string, events Events) error {
	v, err := e.vms.Get(name)
	if err == nil && v.Ephemeral {
		err = &vm.EphemeralError{Name: name}
	}
	if err != nil {
		return err
	}
	return e.startAlone(ctx, SuperviseOptions{Name: name}, events)
}

// startAlone boots a VM and leaves it to itself.
func (e *Engine) startAlone(ctx context.Context, o SuperviseOptions, events Events) error {
	lease, err := e.start(ctx, o, events)
	switch {
	case err != nil && ctx.Err() == nil && !e.vms.Exists(o.Name):
		return &RemovedError{"vm", o.Name}
	case err != nil:
		return err
	}
	return lease.End()
}

// start boots a VM, which then lives for as long as its lease says.
func (e *Engine) start(ctx context.Context, o SuperviseOptions, events Events) (*vm.Lease, error) {
	values, err := e.valuesFor(ctx, o)
	if err != nil {
		return nil, err
	}
	return e.vms.Start(ctx, o.Name, o.command(e.Supervisor), values, events.stage)
}

// DefaultPatience is how long a guest may take to shut down.
const DefaultPatience = 10 * time.Second

// StopOptions say how to stop a VM.
type StopOptions struct {
	Patience time.Duration // how long the guest may take before its plug is pulled
	Force    bool          // pull it at once
	Events   Events
}

// Stopped says what was not in order when a VM shut down.
type Stopped struct {
	Killed  bool // the guest took too long, and its plug was pulled
	Unclean bool // the guest left its root mounted; what was synced is there
}

// StopVM shuts a VM down, and returns when it is down.
func (e *Engine) StopVM(ctx context.Context, name string, o StopOptions) (Stopped, error) {
	if o.Force {
		return Stopped{}, e.vms.Kill(ctx, name)
	}
	v, err := e.vms.Get(name)
	if err != nil {
		return Stopped{}, err
	}
	killed, err := e.vms.Telling(o.Events.stage).Stop(ctx, name, o.Patience)
	if killed || err != nil {
		return Stopped{Killed: killed}, err
	}
	clean, err := e.vms.IsClean(name, e.images.Rootfs(v.Image))
	return Stopped{Unclean: err == nil && !clean}, nil // one that is gone was nobody's to lose
}

// PauseVM holds a VM still; its memory stays.
func (e *Engine) PauseVM(ctx context.Context, name string, events Events) error {
	return e.vms.Telling(events.stage).Pause(ctx, name)
}

// ResumeVM lets a paused VM go on.
func (e *Engine) ResumeVM(ctx context.Context, name string, events Events) error {
	return e.vms.Telling(events.stage).Resume(ctx, name)
}

// RemoveVM removes a VM and its disk. If it runs, the error is a *vm.PhaseError; with force
// it is killed first.
func (e *Engine) RemoveVM(ctx context.Context, name string, force bool) error {
	err := e.vms.Remove(ctx, name)
	if !force || !errors.As(err, new(*vm.PhaseError)) {
		return err
	}
	if err := e.vms.Kill(ctx, name); err != nil {
		return err
	}
	return e.removeIfThere(ctx, name)
}

// removeIfThere removes a VM that is not running, even after ctx has ended. An ephemeral one
// may have been removed by its supervisor already.
func (e *Engine) removeIfThere(ctx context.Context, name string) error {
	err := e.vms.Remove(context.WithoutCancel(ctx), name)
	if errors.As(err, new(*vm.NotFoundError)) {
		return nil
	}
	return err
}

// FollowTraffic returns the log of a VM's network, which goes on while the VM
// runs.
func (e *Engine) FollowTraffic(ctx context.Context, name string) (io.ReadCloser, error) {
	log, err := e.vms.Traffic(ctx, name)
	if errors.As(err, new(*vm.PhaseError)) {
		return e.openLog(name, statedir.NetworkLog)
	}
	return log, err
}

// SetPolicy changes what a VM's guest may reach.
func (e *Engine) SetPolicy(ctx context.Context, name string, c policy.Change) error {
	return e.vms.SetPolicy(ctx, name, c)
}

// DialVM connects to the SSH server of a running VM's guest.
func (e *Engine) DialVM(ctx context.Context, name string) (net.Conn, error) {
	return e.vms.Dial(ctx, name, agentapi.SSHPort)
}

// ForwardVM opens a port of the host that leads to one of a running VM's guest, calls opened
// with both, and keeps it open until ctx ends, which is no error, or the VM does.
func (e *Engine) ForwardVM(ctx context.Context, name string, spec ports.Spec, opened func(ports.Spec)) error {
	conn, at, err := e.vms.Forward(ctx, name, spec)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	opened(at)
	io.Copy(io.Discard, conn)
	if ctx.Err() != nil {
		return nil
	}
	return &vm.PhaseError{Name: name, Phase: vm.Stopped}
}

// GuestPorts returns what the programs of a running VM listen on.
func (e *Engine) GuestPorts(ctx context.Context, name string) ([]agentapi.Port, error) {
	return e.agent(name, guestRoot).Ports(ctx)
}

// ReverseVM opens a port of the guest's loopback that leads to one of the host, calls opened
// with its address, and keeps it open until ctx ends, which is no error, or the VM does.
func (e *Engine) ReverseVM(ctx context.Context, name string, spec ports.Spec, opened func(guest string)) error {
	if spec.Protocol != ports.TCP {
		return fmt.Errorf("%s: only TCP goes from the guest to the host", spec)
	}
	if spec.HostPort == 0 {
		return fmt.Errorf("%s: say which port of the host it is to lead to", spec)
	}
	guest := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(spec.GuestPort)))
	listener, err := e.agent(name, guestRoot).Listen(ctx, agentapi.ListenTCP, guest)
	if err != nil {
		return err
	}
	defer listener.Close()
	opened(listener.Address)
	err = listener.Serve(ctx, func(ctx context.Context) (net.Conn, error) {
		return usernet.DialTCP(ctx, spec.Host())
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}
