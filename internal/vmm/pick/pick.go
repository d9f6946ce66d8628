// Package pick chooses the backend: the one that the user names, or the best
// that works on this host. Backends are made here, by one switch, and nowhere
// else.
package pick

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"banger/internal/process"
	"banger/internal/vmm"
	"banger/internal/vmm/firecracker"
	"banger/internal/vmm/qemu"
)

// Auto is the choice to let New choose: Firecracker where it and KVM work, else
// QEMU, by KVM or by emulation.
const Auto = "auto"

// Options says what to choose from.
type Options struct {
	Choice      string // Auto or "", or a backend's name
	Firecracker firecracker.Options
	QEMU        qemu.Options
}

// Check reports whether text is a choice.
func Check(text string) error {
	switch text {
	case "", Auto, firecracker.Name, qemu.Name:
		return nil
	}
	return fmt.Errorf("%q is no VMM: the choices are %s, %s and %s", text, Auto, firecracker.Name, qemu.Name)
}

// New returns the backend of choice.
func New(o Options) vmm.Backend {
	switch o.Choice {
	case firecracker.Name:
		return firecracker.New(o.Firecracker)
	case qemu.Name:
		return qemu.New(o.QEMU)
	}
	return &auto{firecracker: firecracker.New(o.Firecracker), qemu: qemu.New(o.QEMU)}
}

// auto is the first of two backends that works.
type auto struct {
	firecracker, qemu vmm.Backend

	mu     sync.Mutex
	chosen vmm.Backend
}

// Probe implements vmm.Backend. It chooses.
func (a *auto) Probe(ctx context.Context) (vmm.Info, error) {
	info, passed := a.firecracker.Probe(ctx)
	if passed == nil {
		a.choose(a.firecracker)
		return info, nil
	}
	info, err := a.qemu.Probe(ctx)
	if err != nil {
		if mended(passed) {
			return vmm.Info{}, passed
		}
		return vmm.Info{}, err
	}
	a.choose(a.qemu)
	if info.Accel == vmm.KVM {
		info.Why = "firecracker is passed over: " + passed.Error()
	}
	return info, nil
}

// mended reports whether what is wrong with Firecracker is to be mended by its
// user, who has installed it on a host where it could run.
func mended(err error) bool {
	return !errors.As(err, new(*process.NotFoundError)) && !errors.As(err, new(*firecracker.KVMError))
}

func (a *auto) choose(b vmm.Backend) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.chosen = b
}

// Start implements vmm.Backend.
func (a *auto) Start(ctx context.Context, cfg vmm.Config, network vmm.Network) (vmm.Machine, error) {
	b, err := a.choice()
	if err != nil {
		return nil, err
	}
	return b.Start(ctx, cfg, network)
}

// Restore implements vmm.Backend.
func (a *auto) Restore(ctx context.Context, cfg vmm.Config, dir string, network vmm.Network) (vmm.Machine, error) {
	b, err := a.choice()
	if err != nil {
		return nil, err
	}
	return b.Restore(ctx, cfg, dir, network)
}

func (a *auto) choice() (vmm.Backend, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.chosen == nil {
		return nil, errors.New("start a vm: no VMM was chosen")
	}
	return a.chosen, nil
}
