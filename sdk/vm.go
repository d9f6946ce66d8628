package sdk

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"sync"
	"time"

	"banger/internal/engine"
	"banger/internal/ports"
	"banger/internal/vm"
)

// VM is one VM.
type VM struct {
	client *Client
	name   string

	mu   sync.Mutex
	held *engine.Held // nil where it was not made by Run, or has been let go of
}

// Info is what is known of a VM.
type Info struct {
	Name      string
	Image     string
	Kernel    string
	CPUs      int
	Memory    int64 // bytes
	Disk      int64 // bytes
	Ephemeral bool
	Phase     Phase
	Reason    string // why it stopped, where not as asked
	Created   time.Time
}

// Phase is a step in a VM's life.
type Phase string

// The phases.
const (
	Created  Phase = "created"
	Starting Phase = "starting"
	Running  Phase = "running"
	Paused   Phase = "paused"
	Stopping Phase = "stopping"
	Stopped  Phase = "stopped"
)

func infoOf(v vm.VM) Info {
	return Info{
		Name: v.Name, Image: v.Image, Kernel: v.Kernel, CPUs: v.CPUs, Memory: int64(v.MemoryMiB) << 20, Disk: v.DiskBytes,
		Ephemeral: v.Ephemeral, Phase: Phase(v.State.Phase), Reason: v.State.Reason, Created: v.CreatedAt,
	}
}

// Name returns the VM's name.
func (v *VM) Name() string { return v.name }

// Info returns what is known of the VM now.
func (v *VM) Info(context.Context) (Info, error) {
	found, err := v.client.engine.VM(v.name)
	if err != nil {
		return Info{}, explain(err)
	}
	return infoOf(found), nil
}

// Start boots a VM that is stopped.
func (v *VM) Start(ctx context.Context) error {
	return explain(v.client.engine.StartVM(ctx, v.name, v.client.events()))
}

// Stop shuts the VM down and returns when it is down. A guest that takes longer
// than ten seconds has its plug pulled.
func (v *VM) Stop(ctx context.Context) error {
	_, err := v.client.engine.StopVM(ctx, v.name, engine.StopOptions{Patience: engine.DefaultPatience, Events: v.client.events()})
	return explain(err)
}

// Kill pulls the VM's plug: what its guest has not written to its disk is lost.
func (v *VM) Kill(ctx context.Context) error {
	_, err := v.client.engine.StopVM(ctx, v.name, engine.StopOptions{Force: true})
	return explain(err)
}

// Pause holds the VM still.
func (v *VM) Pause(ctx context.Context) error {
	return explain(v.client.engine.PauseVM(ctx, v.name, v.client.events()))
}

// Resume lets a VM that is paused go on.
func (v *VM) Resume(ctx context.Context) error {
	return explain(v.client.engine.ResumeVM(ctx, v.name, v.client.events()))
}

// Wait returns when the VM is down.
func (v *VM) Wait(ctx context.Context) error {
	_, err := v.client.engine.WaitVM(ctx, v.name)
	return explain(err)
}

// Remove removes the VM and its disk, and kills it before where it runs.
func (v *VM) Remove(ctx context.Context) error {
	err := v.client.engine.RemoveVM(ctx, v.name, true)
	if err == nil {
		err = v.letGo(ctx)
	}
	return explain(err)
}

// Close lets go of a VM that Run made: one that is ephemeral is killed and
// removed, others live on. Of other VMs, and the second time, it does nothing.
func (v *VM) Close() error {
	err := v.letGo(context.Background())
	if errors.As(err, new(*vm.DiedError)) {
		return nil // it is gone, as was asked
	}
	return explain(err)
}

func (v *VM) letGo(ctx context.Context) error {
	v.mu.Lock()
	held := v.held
	v.held = nil
	v.mu.Unlock()
	if held == nil {
		return nil
	}
	return held.Release(ctx)
}

// CopyIn copies a file or a directory of the host's into the guest, as root's.
// The path to is below root's home where it is relative. Of a repository what
// git ignores stays behind, as with the command's vm run PATH.
func (v *VM) CopyIn(ctx context.Context, from, to string) error {
	return explain(v.client.engine.CopyIntoVM(ctx, v.name, engine.CopyInOptions{From: from, To: to}))
}

// CopyOut copies a file or a directory out of the guest, as this process's user's.
// The path from is below root's home where it is relative. Where to is a directory
// that is there, it goes into it, by its name; where from ends in "/." its content
// does. Whatever the guest answers, nothing outside of to is written.
func (v *VM) CopyOut(ctx context.Context, from, to string) error {
	return explain(v.client.engine.Copy(ctx, engine.CopyOptions{
		From: []engine.Place{{VM: v.name, Path: from}}, To: engine.Place{Path: to}, Events: v.client.events(),
	}))
}

// Forward opens a TCP port on the host's loopback that leads to a port of the
// guest's. host 0 is any port that is free.
func (v *VM) Forward(ctx context.Context, host, guest uint16) (*Forward, error) {
	ctx, cancel := context.WithCancel(ctx)
	f := &Forward{cancel: cancel, done: make(chan struct{})}
	opened := make(chan netip.AddrPort, 1)
	spec := ports.Spec{HostIP: netip.AddrFrom4([4]byte{127, 0, 0, 1}), HostPort: host, GuestPort: guest, Protocol: ports.TCP}
	go func() {
		defer close(f.done)
		f.err = v.client.engine.ForwardVM(ctx, v.name, spec, func(at ports.Spec) { opened <- at.Host() })
	}()
	select {
	case f.addr = <-opened:
		return f, nil
	case <-f.done:
		cancel()
		return nil, explain(errors.Join(f.err, ctx.Err()))
	}
}

// Forward is a port of the host that leads to a guest's.
type Forward struct {
	addr   netip.AddrPort
	cancel context.CancelFunc
	done   chan struct{}
	err    error // when done
}

// Addr returns the address that is listened at.
func (f *Forward) Addr() netip.AddrPort { return f.addr }

// Wait returns when the port is closed: nil after Close or the context's end, else
// why the VM went away.
func (f *Forward) Wait() error {
	<-f.done
	return explain(f.err)
}

// Close closes the port.
func (f *Forward) Close() error {
	f.cancel()
	return f.Wait()
}

// Console returns what the guest wrote to its console at its last start.
func (v *VM) Console(context.Context) (io.ReadCloser, error) {
	log, err := v.client.engine.OpenConsole(v.name)
	return log, explain(err)
}
