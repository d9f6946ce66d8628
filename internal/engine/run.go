package engine

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"slices"

	"banger/internal/agent"
	"banger/internal/imagemgr"
	"banger/internal/project"
	"banger/internal/statedir"
	"banger/internal/vm"
)

// RunOptions say what VM to make and what to run in it.
type RunOptions struct {
	VM  VMOptions
	Dir string // a directory of the host's that is copied into the guest, or ""
	// SyncBack copies back what the program changed in Dir, when it has ended. If not all
	// can be, the error is an *UnsyncedError.
	SyncBack bool
	// Reuse takes the VM of that name, if there is one: it is started, if it is down, and
	// gets what changed in Dir. Of VM, only the name counts then.
	Reuse   bool
	Program Program
	Agree   Agree // to the making of the configured image, where it is not there yet
	Events  Events

	Detach bool // return when the VM is up: its program runs on without its caller
	// Foreground ties the VM and the program together: when either ends, so does the
	// other. The end of the context shuts the guest down. If there is no program, the
	// guest's console goes to what Console opens.
	Foreground bool
	Console    func() (Attachment, error)
	// Snapshot is the snapshot that the VM is restored from, "" for none. Of VM, only the
	// name, the secrets and whether it is ephemeral count then.
	Snapshot string
}

// Run is what became of a run.
type Run struct {
	VM     vm.VM
	Kept   bool // the VM is there still, after an error too
	Status int  // the program's exit status
}

// RunVM makes a VM, boots it and runs a program in it: if none is given, a container
// image's own, or a shell. A VM that does not come up is removed again, and an ephemeral
// one when the program has ended.
func (e *Engine) RunVM(ctx context.Context, o RunOptions) (Run, error) {
	copied, err := projectAt(ctx, o.Dir)
	if err != nil {
		return Run{}, err
	}
	if o.Reuse && e.vms.Exists(o.VM.Name) {
		return e.runAgain(ctx, copied, o)
	}
	if o.VM.Name == "" {
		o.VM.Name = madeUpName(cmp.Or(copied.dir, o.Snapshot, o.VM.Image, e.Config.Image))
	}
	if o.Detach {
		o.VM.Detached, o.VM.Main = true, o.Program.main(copied.target)
	}
	// Whoever watches the console wants to see the boot.
	o.VM.Cold = o.VM.Cold || o.Foreground && len(o.Program.Argv) == 0 && o.Program.Line == ""
	for i := range o.VM.Mounts {
		o.VM.Mounts[i].User = o.Program.User
	}
	values, err := e.valuesOf(ctx, o.VM.Name, o.VM.Secrets)
	if err != nil {
		return Run{}, err
	}
	v, claim, err := e.createRunVM(ctx, o)
	if err != nil {
		return Run{}, err
	}
	defer claim.Release()
	lease, err := e.start(ctx, SuperviseOptions{Name: v.Name, Foreground: o.Foreground, secrets: values}, o.Events)
	if err != nil {
		o.Events.warn(e.removeIfThere(ctx, v.Name))
		return Run{}, err
	}
	switch {
	case o.Detach:
		return e.detach(ctx, v, lease, copied, o)
	case o.Foreground:
		lease.Foreground()
	}
	status, err := e.runAttached(ctx, v.Name, copied, o)
	if o.SyncBack {
		err = e.afterRun(ctx, v.Name, v.Ephemeral || o.Foreground, o.syncOptions(copied), err)
	}
	o.Events.warn(lease.End())
	if v.Ephemeral && e.vms.Exists(v.Name) {
		err = errors.Join(err, e.clearUp(ctx, v.Name))
	}
	return Run{VM: v, Kept: !v.Ephemeral, Status: status}, err
}

func (e *Engine) runAttached(ctx context.Context, name string, copied copiedDir, o RunOptions) (int, error) {
	p, client, err := e.prepare(ctx, name, copied, o)
	if err != nil {
		return 0, err
	}
	if o.Foreground {
		return e.runForeground(ctx, name, client, p, o)
	}
	return p.forwardAndRun(ctx, client)
}

// syncOptions are for syncing the copied directory with the guest's.
func (o RunOptions) syncOptions(copied copiedDir) SyncOptions {
	return SyncOptions{Dir: copied.dir, To: copied.target, User: o.Program.User, Events: o.Events}
}

// runAgain runs a program in an existing VM.
func (e *Engine) runAgain(ctx context.Context, copied copiedDir, o RunOptions) (Run, error) {
	v, err := e.vms.Get(o.VM.Name)
	if err != nil {
		return Run{}, err
	}
	run := Run{VM: v, Kept: true}
	if !v.State.Phase.Alive() {
		if err := e.StartVM(ctx, v.Name, o.Events); err != nil {
			return run, err
		}
	}
	if copied.dir != "" {
		if err := e.renew(ctx, v.Name, o.syncOptions(copied)); err != nil {
			return run, err
		}
		o.Program.Dir = cmp.Or(o.Program.Dir, copied.target)
	}
	run.Status, err = e.ExecVM(ctx, v.Name, o.Program)
	if o.SyncBack {
		err = e.afterRun(ctx, v.Name, false, o.syncOptions(copied), err)
	}
	return run, err
}

// createRunVM makes the VM of a run.
func (e *Engine) createRunVM(ctx context.Context, o RunOptions) (v vm.VM, claim *statedir.Lock, err error) {
	if o.Snapshot == "" {
		return e.createVM(ctx, o.VM, o.Agree, o.Events)
	}
	snap, err := e.snapshots.Get(o.Snapshot)
	if err != nil {
		return v, nil, err
	}
	v, origin, err := e.copyOf(ctx, snap, e.snapshots.Path(snap.Name, ""), false)
	if err != nil {
		return v, nil, err
	}
	v.Name, v.Secrets = o.VM.Name, kept(o.VM.Secrets)
	if o.VM.Ephemeral {
		v, claim, err = e.vms.CreateEphemeralCopy(ctx, v, origin)
	} else {
		v, err = e.vms.CreateCopy(ctx, v, origin)
	}
	return v, claim, lost("snapshot", snap.Name, e.snapshots.Exists, err)
}

// clearUp removes an ephemeral VM whose supervisor ended without doing so.
func (e *Engine) clearUp(ctx context.Context, name string) error {
	return errors.Join(&vm.DiedError{Name: name}, e.removeIfThere(ctx, name))
}

// prepare copies a project into a VM that has just come up, and completes the program from
// the image's configuration. What was copied is noted for later syncs, unless the VM is
// removed with its program.
func (e *Engine) prepare(ctx context.Context, name string, copied copiedDir, o RunOptions) (Program, *agent.Client, error) {
	p := o.Program
	image, err := e.container(name)
	if err != nil {
		return p, nil, err
	}
	p.Dir = cmp.Or(p.Dir, copied.target)
	p = p.in(image).orEntrypoint(image)
	p.note = e.noteExec(name)
	client := e.agent(name, p.User)
	switch {
	case copied.dir == "":
	case o.VM.Ephemeral && !o.SyncBack:
		err = client.CopyFiles(ctx, copied.dir, copied.files, copied.target)
	default:
		err = e.bring(ctx, name, o.syncOptions(copied))
	}
	return p, client, err
}

// orEntrypoint returns p, or the image's own program if p names none.
func (p Program) orEntrypoint(c *imagemgr.Config) Program {
	if c != nil && len(p.Argv) == 0 && p.Line == "" {
		p.Argv = slices.Concat(c.Entrypoint, c.Cmd)
		p.first = len(p.Argv) > 0
	}
	return p
}

// copiedDir is a directory that is copied into a guest.
type copiedDir struct {
	dir    string // absolute; "" is none
	tree   project.Tree
	files  []agent.File
	target string // below the user's home
}

func projectAt(ctx context.Context, dir string) (c copiedDir, err error) {
	if dir == "" {
		return c, nil
	}
	if c.dir, err = filepath.Abs(dir); err != nil {
		return c, err
	}
	if c.target = filepath.Base(c.dir); c.target == "/" {
		return c, errors.New("the root directory cannot be copied into a guest")
	}
	c.tree, err = project.List(ctx, c.dir)
	for _, f := range c.tree.Files {
		c.files = append(c.files, agent.File(f))
	}
	return c, err
}
