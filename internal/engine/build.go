package engine

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"banger/internal/imagebuild"
	"banger/internal/imagemgr"
	"banger/internal/statedir"
	"banger/internal/vm"
)

// BuildOptions say what image to build, from which other one.
type BuildOptions struct {
	Name      string
	From      string    // the image to boot and to change
	KernelRef string    // the kernel that the new one's VMs boot; "" is the base's
	VM        VMOptions // of the throw-away VM: CPUs, memory and disk only
	Packages  []string  // beside imagemgr.DebianBasePackages
	Copies    []imagebuild.Copy
	Script    string   // a program to run in the VM, after that, or ""
	Env       []string // KEY=VALUE, of all programs in the new one's VMs
	Replace   bool     // build in any case, and replace an image of that name
	Events    Events
}

// BuildImage makes an image from another one, in a throw-away VM. An image that was built
// from the same inputs before is left as it is.
func (e *Engine) BuildImage(ctx context.Context, o BuildOptions) (pull ImagePull, err error) {
	if err := e.replaceable(o.Name, o.Replace); err != nil {
		return pull, err
	}
	base, err := e.images.Get(o.From)
	if err != nil {
		return pull, err
	}
	build := imagebuild.Options{
		Base: base, Name: o.Name, KernelRef: cmp.Or(o.KernelRef, base.KernelRef),
		Packages: o.Packages, Copies: o.Copies, Script: o.Script, Env: o.Env, Replace: o.Replace,
	}
	if err := build.CheckPackages(); err != nil {
		return pull, err
	}
	events := o.Events.serial()
	builder := e.builder(events)
	if !o.Replace {
		if there, err := builder.Existing(build); err != nil || there != nil {
			return present(there), err
		}
	}
	throwAway, err := e.createBuildVM(ctx, o, events)
	if err != nil {
		return pull, err
	}
	pull.Image, err = builder.FromImage(ctx, throwAway, build)
	events.warn(throwAway.remove())
	return pull, err
}

func present(i *imagemgr.Image) ImagePull {
	if i == nil {
		return ImagePull{}
	}
	return ImagePull{*i, true}
}

// replaceable returns an *InUseError if an image that is to be replaced is in use.
func (e *Engine) replaceable(name string, replace bool) error {
	if !replace {
		return nil
	}
	return e.imageUnused(name)
}

func (e *Engine) builder(events Events) *imagebuild.Builder {
	return &imagebuild.Builder{Images: e.images, Output: events, Say: events.stage}
}

// BuildDockerfile builds an image from a Dockerfile, with whichever program for that the
// host has. Of d, only the fields count that a user sets.
func (e *Engine) BuildDockerfile(ctx context.Context, d imagebuild.Dockerfile, events Events) (pull ImagePull, err error) {
	if err := e.replaceable(d.Name, d.Replace); err != nil {
		return pull, err
	}
	if d.KernelRef, err = e.chooseKernel(d.KernelRef); err != nil {
		return pull, err
	}
	events = events.serial()
	stage, err := e.Dirs.BuildTree().Stage()
	if err != nil {
		return pull, err
	}
	defer stage.Discard()
	d.TempDir, d.Progress = stage.Dir, events.progress
	pull.Image, err = e.builder(events).FromDockerfile(ctx, d)
	return pull, err
}

// buildVM is the VM that an image is built in. It is ephemeral: it ends, and
// is removed, when this process ends.
type buildVM struct {
	engine *Engine
	name   string
	events Events
	claim  *statedir.Lock
	lease  *vm.Lease // while it runs
}

func (e *Engine) createBuildVM(ctx context.Context, o BuildOptions, events Events) (*buildVM, error) {
	spec := o.VM
	spec.Ports, spec.Networks = nil, nil // which are for VMs that stay
	spec.Name, spec.Image, spec.Ephemeral = "build-"+madeUpName(o.Name), o.From, true
	spec.Cold = true
	v, claim, err := e.createVM(ctx, spec, nil, events)
	if err != nil {
		return nil, err
	}
	return &buildVM{engine: e, name: v.Name, events: events, claim: claim}, nil
}

// Boot boots the VM. The supervisor of the last boot removes it.
func (b *buildVM) Boot(ctx context.Context, agentOnly bool) (imagebuild.Guest, error) {
	o := SuperviseOptions{Name: b.name, NoInit: agentOnly, KeepStopped: !agentOnly}
	lease, err := b.engine.start(ctx, o, b.events)
	if err != nil {
		return nil, err
	}
	b.lease = lease
	return b.engine.agent(b.name, guestRoot), nil
}

// buildPatience is how long a build's guest may take to shut down: to kill it would cost
// the build. systemd alone gives a service 90 s, and an emulated guest of a busy host has
// been seen to take more than a minute.
const buildPatience = 5 * time.Minute

// Stop shuts the VM down.
func (b *buildVM) Stop(ctx context.Context) error {
	killed, err := b.engine.vms.Stop(ctx, b.name, buildPatience)
	if err == nil && killed {
		err = fmt.Errorf("vm %s did not shut down within %s", b.name, buildPatience)
	}
	if err == nil {
		err = b.lease.End()
	}
	return err
}

// remove removes the VM, pulling its plug where it runs.
func (b *buildVM) remove() error {
	defer b.claim.Release()
	if b.lease != nil {
		if err := b.lease.End(); err != nil {
			return err
		}
	}
	return b.engine.removeIfThere(context.Background(), b.name)
}
