package mcp

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/netip"
	"strings"
	"sync"

	"banger/internal/engine"
	"banger/internal/ports"
	"banger/internal/vm"
)

// engineHost is banger itself.
type engineHost struct {
	engine *engine.Engine
	vm     engine.VMOptions // of new sandboxes
	claims *sync.Map        // what releases the snapshots that go with this process, by name
}

func newEngineHost(e *engine.Engine, o engine.VMOptions) engineHost {
	return engineHost{e, o, new(sync.Map)}
}

func (h engineHost) open(ctx context.Context, say func(string)) (box, error) {
	return h.goOn(ctx, "", say)
}

func (h engineHost) forget(snapshot string) error {
	if release, held := h.claims.LoadAndDelete(snapshot); held {
		defer release.(func())()
	}
	return h.engine.RemoveSnapshot(snapshot)
}

// snapshot keeps a VM as it is: until this process ends, where nothing is to stay of
// the session.
func (h engineHost) snapshot(ctx context.Context, name string) (string, error) {
	o := engine.SnapshotOptions{VM: name, Name: name + "-" + strings.ToLower(rand.Text()[:8])}
	if !h.vm.Ephemeral {
		s, err := h.engine.CreateSnapshot(ctx, o, nil)
		return s.Name, err
	}
	s, release, err := h.engine.HoldSnapshot(ctx, o, nil)
	if err == nil {
		h.claims.Store(s.Name, release)
	}
	return s.Name, err
}

func (h engineHost) goOn(ctx context.Context, snapshot string, say func(string)) (box, error) {
	held, err := h.engine.HoldVM(ctx, engine.HoldOptions{VM: h.vm, Snapshot: snapshot, Events: func(e engine.Event) {
		if stage, ok := e.(engine.Stage); ok {
			say(stage.Text)
		}
	}})
	if err != nil {
		return nil, err
	}
	return &engineBox{engine: h.engine, host: h, vm: held.VM.Name, held: held}, nil
}

func (h engineHost) find(name string) (box, error) {
	v, err := h.engine.VM(name)
	if err != nil {
		return nil, err
	}
	return &engineBox{engine: h.engine, host: h, vm: v.Name}, nil
}

// engineBox is a VM.
type engineBox struct {
	engine *engine.Engine
	host   engineHost
	vm     string

	mu   sync.Mutex
	held *engine.Held // nil where this server did not make it, or has let go of it
}

func (b *engineBox) name() string { return b.vm }

func (b *engineBox) phase() (string, error) {
	v, err := b.engine.VM(b.vm)
	if errors.As(err, new(*vm.NotFoundError)) {
		return "", errGone
	}
	return string(v.State.Phase), err
}

func (b *engineBox) run(ctx context.Context, p program) (int, error) {
	return b.engine.ExecVM(ctx, b.vm, engine.Program{Argv: p.argv, Dir: p.dir, Env: p.env, Attach: func() (engine.Attachment, error) {
		return engine.Attachment{Stdin: p.stdin, Stdout: p.stdout, Stderr: p.stderr}, nil
	}})
}

func (b *engineBox) copyIn(ctx context.Context, from, to string) error {
	return b.engine.CopyIntoVM(ctx, b.vm, engine.CopyInOptions{From: from, To: to})
}

func (b *engineBox) forward(ctx context.Context, port uint16, opened func(string)) error {
	spec := ports.Spec{HostIP: netip.AddrFrom4([4]byte{127, 0, 0, 1}), GuestPort: port, Protocol: ports.TCP}
	return b.engine.ForwardVM(ctx, b.vm, spec, func(at ports.Spec) { opened(at.Host().String()) })
}

func (b *engineBox) log(ctx context.Context, console bool, to io.Writer) error {
	source := engine.NetworkLog
	if console {
		source = engine.ConsoleLog
	}
	return b.engine.VMLog(ctx, b.vm, engine.LogOptions{Source: source}, to)
}

func (b *engineBox) snapshot(ctx context.Context) (string, error) { return b.host.snapshot(ctx, b.vm) }

func (b *engineBox) start(ctx context.Context) error { return b.engine.StartVM(ctx, b.vm, nil) }

func (b *engineBox) stop(ctx context.Context) error {
	_, err := b.engine.StopVM(ctx, b.vm, engine.StopOptions{Patience: engine.DefaultPatience})
	return err
}

func (b *engineBox) remove(ctx context.Context) error {
	err := b.engine.RemoveVM(ctx, b.vm, true)
	return errors.Join(err, b.close())
}

func (b *engineBox) close() error {
	b.mu.Lock()
	held := b.held
	b.held = nil
	b.mu.Unlock()
	if held == nil {
		return nil
	}
	err := held.Release(context.Background())
	if errors.As(err, new(*vm.DiedError)) {
		return nil // it is gone, as was asked
	}
	return err
}
