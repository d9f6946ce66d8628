package engine

import (
	"context"
	"slices"

	"banger/internal/devfile"
	"banger/internal/secret"
	"banger/internal/vm"
)

// UpOptions say whose VM to bring up.
type UpOptions struct {
	Spec     devfile.Spec
	Recreate bool    // make the VM anew
	Agree    Agree   // to the making of the configured image, where it is not there yet
	Consent  Consent // to what the file asks for beyond the sandbox
	Events   Events
}

// UpVM brings a project's VM up: it makes the VM where there is none, boots it and
// runs the project's commands that are due.
func (e *Engine) UpVM(ctx context.Context, o UpOptions) (Project, error) {
	if p, err := e.provideProjectVM(ctx, o); err != nil {
		return p, err
	}
	err := e.bringUp(ctx, o, projectVM(o.Spec), func(name string) error { return e.StartVM(ctx, name, o.Events) })
	if err != nil {
		return Project{}, err
	}
	return e.Project(o.Spec)
}

// UpForeground is UpVM with this process as the VM's supervisor, like StartForeground:
// it returns when the VM is down.
func (e *Engine) UpForeground(ctx context.Context, o UpOptions, attach func() (Attachment, error)) error {
	p, err := e.provideProjectVM(ctx, o)
	if err != nil {
		return err
	}
	if p.VM.State.Phase.Alive() {
		return &vm.PhaseError{Name: p.VM.Name, Phase: p.VM.State.Phase}
	}
	var lease *vm.Lease
	err = e.bringUp(ctx, o, p.VM.Name, func(name string) (err error) {
		lease, err = e.start(ctx, SuperviseOptions{Name: name, Foreground: true}, o.Events)
		return err
	})
	if err != nil && lease != nil {
		lease.Foreground()
		o.Events.warn(lease.End())
	}
	if err != nil {
		return err
	}
	_, err = e.keepForeground(ctx, *p.VM, lease, attach, o.Events)
	return err
}

// bringUp calls start where a project's VM is down, and then runs the commands that
// are due: the setup's once, those of a start after each.
func (e *Engine) bringUp(ctx context.Context, o UpOptions, name string, start func(name string) error) error {
	v, err := e.vms.Get(name)
	if err != nil {
		return err
	}
	up := v.State.Phase == vm.Running
	if !up {
		if err := e.applySpec(ctx, o, v); err != nil {
			return err
		}
		if err := start(name); err != nil {
			return err
		}
	}
	pending := v.Labels[setupLabel] == setupPending
	switch {
	case pending:
		err = e.setUp(ctx, o, name)
	case o.Spec.Workspace == devfile.Copy:
		err = e.renew(ctx, name, o.syncOptions())
	}
	if err != nil {
		return err
	}
	if up && !pending {
		return nil
	}
	return e.runCommands(ctx, o, name, o.Spec.Start)
}

// syncOptions are for syncing the project's directory with its copy in the guest.
func (o UpOptions) syncOptions() SyncOptions {
	return SyncOptions{Dir: o.Spec.Dir, To: o.Spec.Workdir, User: o.Spec.User, Events: o.Events}
}

// applySpec changes a VM that is down to what the project's file says by now.
func (e *Engine) applySpec(ctx context.Context, o UpOptions, v vm.VM) error {
	want := e.projectVMOptions(o.Spec)
	memory, disk := int(want.Memory>>20), int64(want.Disk)
	change := Change{Change: vm.Change{CPUs: &want.CPUs, MemoryMiB: &memory, Ports: &want.Ports}, Give: want.Secrets}
	for _, had := range v.Secrets {
		if !slices.ContainsFunc(want.Secrets, func(g secret.Given) bool { return g.Name == had.Name }) {
			change.DropSecrets = append(change.DropSecrets, had.Name)
		}
	}
	if disk > v.DiskBytes {
		change.DiskBytes = &disk
	}
	if len(want.Mounts)+len(v.Mounts) > 0 {
		change.Mounts = &want.Mounts
	}
	if len(want.Volumes)+len(v.Volumes) > 0 {
		change.Volumes = &want.Volumes
	}
	_, err := e.SetVM(ctx, v.Name, change, o.Events)
	return err
}
