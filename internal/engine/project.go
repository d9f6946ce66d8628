package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"banger/internal/devfile"
	"banger/internal/vm"
)

// Labels of a project's VM.
const (
	projectLabel = "banger.project" // its directory
	madeOfLabel  = "banger.made-of" // the digest of what only a new VM can follow
	setupLabel   = "banger.setup"   // setupPending until its setup commands have run
	setupPending = "pending"
)

// Project is what became of a project's VM.
type Project struct {
	Spec     devfile.Spec `json:"-"`
	File     string       `json:"file"`
	Dir      string       `json:"dir"`
	VM       *vm.VM       `json:"vm"`       // nil where there is none
	Outdated bool         `json:"outdated"` // the file says otherwise than when it was made
}

// NotTheirsError says that the VM of a project's name is not its own.
type NotTheirsError struct{ Name, Dir string }

func (e *NotTheirsError) Error() string { return fmt.Sprintf("vm %q is not that of %s", e.Name, e.Dir) }

// Project finds a project's VM. There may be none: that is no error.
func (e *Engine) Project(s devfile.Spec) (Project, error) {
	p := Project{Spec: s, File: s.Path, Dir: s.Dir}
	v, err := e.vms.Get(projectVM(s))
	if errors.As(err, new(*vm.NotFoundError)) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	if v.Labels[projectLabel] != projectID(s.Dir) {
		return p, &NotTheirsError{v.Name, s.Dir}
	}
	madeOf, err := madeOf(s)
	p.VM, p.Outdated = &v, v.Labels[madeOfLabel] != madeOf
	return p, err
}

// provideProjectVM makes a project's VM where there is none, or where the one that is
// there has to be made anew.
func (e *Engine) provideProjectVM(ctx context.Context, o UpOptions) (Project, error) {
	if err := e.agreed(ctx, o.Spec, o.Consent); err != nil {
		return Project{}, err
	}
	p, err := e.Project(o.Spec)
	if err != nil {
		return p, err
	}
	if o.Recreate && p.VM != nil {
		if err := e.DownVM(ctx, p, true, o.Events); err != nil {
			return p, err
		}
		p.VM = nil
	}
	if p.VM != nil {
		return p, nil
	}
	if err := e.createProjectVM(ctx, o); err != nil {
		return p, err
	}
	return e.Project(o.Spec)
}

func (e *Engine) createProjectVM(ctx context.Context, o UpOptions) error {
	image, err := e.projectImage(ctx, o)
	if err != nil {
		return err
	}
	madeOf, err := madeOf(o.Spec)
	if err != nil {
		return err
	}
	spec := e.projectVMOptions(o.Spec)
	spec.Image = image
	spec.Labels = vm.Labels{projectLabel: projectID(o.Spec.Dir), madeOfLabel: madeOf, setupLabel: setupPending}
	_, err = e.CreateVM(ctx, spec, o.Agree, o.Events)
	return err
}

// projectVMOptions are the defaults, overridden by what the project's file sets. What it
// allows and denies is added to what the configuration does.
func (e *Engine) projectVMOptions(s devfile.Spec) VMOptions {
	o := e.VMDefaults()
	o.Name, o.Kernel, o.HostLoopback = projectVM(s), s.Kernel, s.HostLoopback
	o.Mounts, o.Volumes = s.Mounts, s.Volumes
	for _, p := range s.Ports {
		if !slices.Contains(o.Ports, p) {
			o.Ports = append(o.Ports, p)
		}
	}
	o.Secrets = s.Secrets
	if s.CPUs > 0 {
		o.CPUs = s.CPUs
	}
	if s.Memory > 0 {
		o.Memory = s.Memory
	}
	if s.Disk > 0 {
		o.Disk = s.Disk
	}
	if s.Policy.Egress != "" {
		o.Policy.Egress = s.Policy.Egress
	}
	o.Policy.Allow = slices.Concat(o.Policy.Allow, s.Policy.Allow)
	o.Policy.Deny = slices.Concat(o.Policy.Deny, s.Policy.Deny)
	return o
}

// DownVM shuts a project's VM down and, with remove, deletes it.
func (e *Engine) DownVM(ctx context.Context, p Project, remove bool, events Events) error {
	if p.VM == nil {
		return nil
	}
	_, err := e.StopVM(ctx, p.VM.Name, StopOptions{Patience: DefaultPatience, Events: events})
	if errors.As(err, new(*vm.PhaseError)) {
		err = nil // it is down
	}
	if err == nil && remove {
		err = e.removeIfThere(ctx, p.VM.Name)
	}
	return err
}
