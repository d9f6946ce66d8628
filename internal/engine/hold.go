package engine

import (
	"context"

	"banger/internal/statedir"
	"banger/internal/vm"
)

// HoldOptions say what VM to make for a program that uses it.
type HoldOptions struct {
	VM     VMOptions
	Agree  Agree // to the making of the configured image, where it is not there yet
	Events Events
	// Snapshot is what the VM goes on from, as RunOptions has it.
	Snapshot string
}

// Held is a VM that came up for the process that made it. One that is ephemeral
// ends and is removed where that process lets go of it, or ends by whatever means.
type Held struct {
	VM     vm.VM
	engine *Engine
	lease  *vm.Lease
	claim  *statedir.Lock
}

// HoldVM makes a VM and boots it. One that does not come up is removed again.
func (e *Engine) HoldVM(ctx context.Context, o HoldOptions) (*Held, error) {
	values, err := e.valuesOf(ctx, o.VM.Name, o.VM.Secrets)
	if err != nil {
		return nil, err
	}
	if o.VM.Name == "" && o.Snapshot != "" {
		o.VM.Name = madeUpName(o.Snapshot)
	}
	v, claim, err := e.createRunVM(ctx, RunOptions{VM: o.VM, Agree: o.Agree, Events: o.Events, Snapshot: o.Snapshot})
	if err != nil {
		return nil, err
	}
	lease, err := e.start(ctx, SuperviseOptions{Name: v.Name, secrets: values}, o.Events)
	if err != nil {
		o.Events.warn(e.removeIfThere(ctx, v.Name))
		claim.Release()
		return nil, err
	}
	return &Held{VM: v, engine: e, lease: lease, claim: claim}, nil
}

// Release lets go of the VM. It returns when an ephemeral one is gone; others
// live on. It is called once.
func (h *Held) Release(ctx context.Context) error {
	defer h.claim.Release()
	err := h.lease.End()
	if h.VM.Ephemeral && h.engine.vms.Exists(h.VM.Name) {
		return h.engine.clearUp(ctx, h.VM.Name)
	}
	return err
}
