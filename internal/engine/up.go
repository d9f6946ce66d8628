package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"

	"banger/internal/devfile"
	"banger/internal/secret"
	"banger/internal/vm"
)

// Labels of a project's VM.
const (
	projectLabel = "banger.project" // its directory
	madeOfLabel  = "banger.made-of" // the digest of what only a new VM can follow
	setupLabel   = "banger.setup"   // setupPending until its setup commands have run
	setupPending = "pending"
)

// UpOptions say whose VM to bring up.
type UpOptions struct {
	Spec     devfile.Spec
	Recreate bool    // make the VM anew
	Agree    Agree   // to the making of the configured image, where it is not there yet
	Consent  Consent // to what the file asks for beyond the sandbox
	Events   Events
}

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

// CommandError says that a command of a project's failed.
type CommandError struct {
	Command string
	Status  int
}

func (e *CommandError) Error() string {
	return fmt.Sprintf("%q ended with the exit status %d", e.Command, e.Status)
}

// Project finds a project's VM.
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

// UpVM brings a project's VM up: makes it, where there is none, with what its
// setup commands do, and boots it.
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

// UpForeground is UpVM for a VM that is a part of this process, as StartForeground
// has it: it returns when the VM is down.
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

// provideProjectVM makes a project's VM where there is none, or is to be another.
func (e *Engine) provideProjectVM(ctx context.Context, o UpOptions) (Project, error) {
	if err := e.agreed(ctx, o.Spec, o.Consent); err != nil {
		return Project{}, err
	}
	p, err := e.Project(o.Spec)
	if err != nil {
		return p, err
	}
	if o.Recreate && p.VM != nil {
		if err := e.DownVM(ctx, p, true); err != nil {
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

// DownVM shuts a project's VM down, and removes it where that is asked for.
func (e *Engine) DownVM(ctx context.Context, p Project, remove bool) error {
	if p.VM == nil {
		return nil
	}
	_, err := e.StopVM(ctx, p.VM.Name, StopOptions{Patience: DefaultPatience})
	if errors.As(err, new(*vm.PhaseError)) {
		err = nil // it is down
	}
	if err == nil && remove {
		err = e.removeIfThere(ctx, p.VM.Name)
	}
	return err
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

// projectVMOptions are the defaults, with what the file says in their place. What
// it allows and denies is beside what the configuration does.
func (e *Engine) projectVMOptions(s devfile.Spec) VMOptions {
	o := e.VMDefaults()
	o.Name, o.Kernel, o.HostLoopback = projectVM(s), s.Kernel, s.HostLoopback
	o.Ports, o.Mounts, o.Volumes = slices.Concat(o.Ports, s.Ports), s.Mounts, s.Volumes
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

// bringUp has start boot a project's VM, where it is down, and runs what is to run
// then.
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

// syncOptions say how a copied project is kept alike with the guest's.
func (o UpOptions) syncOptions() SyncOptions {
	return SyncOptions{Dir: o.Spec.Dir, To: o.Spec.Workdir, User: o.Spec.User, Events: o.Events}
}

// applySpec gives a VM that is down what may have changed in the file.
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

// setUp copies the project's files and runs its setup commands. What fails is
// begun anew the next time.
func (e *Engine) setUp(ctx context.Context, o UpOptions, name string) error {
	if o.Spec.Workspace == devfile.Copy {
		o.Events.stage("copying " + o.Spec.Dir)
		if err := e.bring(ctx, name, o.syncOptions()); err != nil {
			return err
		}
	}
	if err := e.runCommands(ctx, o, name, o.Spec.Setup); err != nil {
		return err
	}
	_, err := e.vms.Set(ctx, name, vm.Change{Labels: vm.Labels{setupLabel: ""}})
	return err
}

func (e *Engine) runCommands(ctx context.Context, o UpOptions, name string, commands []devfile.Command) error {
	for _, c := range commands {
		o.Events.stage("running " + c.String())
		p := ProjectProgram(o.Spec)
		p.Line, p.Argv, p.WaitInit = c.Line, c.Argv, true
		p.Attach = func() (Attachment, error) { return Attachment{Stdout: o.Events, Stderr: o.Events}, nil }
		status, err := e.ExecVM(ctx, name, p)
		if err == nil && status != 0 {
			err = &CommandError{c.String(), status}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ProjectProgram is how a project's programs run: where its files are, as its
// user, with its variables.
func ProjectProgram(s devfile.Spec) Program {
	p := Program{User: s.User, Dir: s.Workdir}
	if p.Dir == "" && s.Workspace != devfile.None {
		p.Dir = path.Base(filepath.ToSlash(s.Dir))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		p.Env = append(p.Env, name+"="+s.Env[name])
	}
	return p
}

// ShellVM runs a program, or a shell, in a project's VM that is up.
func (e *Engine) ShellVM(ctx context.Context, o UpOptions, p Program) (status int, err error) {
	name := projectVM(o.Spec)
	if err := e.runCommands(ctx, o, name, o.Spec.Attach); err != nil {
		return 0, err
	}
	return e.ExecVM(ctx, name, p)
}
