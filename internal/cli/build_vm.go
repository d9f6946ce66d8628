package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"

	"banger/internal/imagebuild"
	"banger/internal/vm"
)

// buildVM is the VM that an image is built in. It is ephemeral: it ends, and
// is removed, when this process ends.
type buildVM struct {
	app   *app
	name  string
	lease *vm.Lease // while it runs
}

func (a *app) createBuildVM(ctx context.Context, o imageBuildOptions) (*buildVM, error) {
	spec := o.spec
	spec.Image, spec.Ephemeral = o.Base.Name, true
	spec.Name = "build-" + madeUpName("", o.Name)
	if !o.flags.Changed("cpus") {
		spec.CPUs = a.config.CPUs
	}
	if !o.flags.Changed("memory") {
		o.memory = a.config.Memory
	}
	if !o.flags.Changed("disk") {
		o.disk = a.config.Disk
	}
	spec.MemoryMiB, spec.DiskBytes = int(o.memory>>20), int64(o.disk)
	if err := a.resolve(&spec); err != nil {
		return nil, err
	}
	v, err := a.vms.Create(ctx, spec)
	if err != nil {
		return nil, err
	}
	return &buildVM{app: a, name: v.Name}, nil
}

// Boot boots the VM. The supervisor of the last boot removes it.
func (b *buildVM) Boot(ctx context.Context, agentOnly bool) (imagebuild.Guest, error) {
	flag := "--" + keepStoppedFlag
	if agentOnly {
		flag = "--" + noInitFlag
	}
	lease, err := b.app.start(ctx, b.name, flag)
	if err != nil {
		return nil, err
	}
	b.lease = lease
	return b.app.connect(ctx, b.name, guestRoot)
}

// Stop shuts the VM down.
func (b *buildVM) Stop(ctx context.Context) error {
	killed, err := b.app.vms.Stop(ctx, b.name, defaultPatience)
	if err == nil && killed {
		err = fmt.Errorf("vm %s did not shut down within %s", b.name, defaultPatience)
	}
	if err == nil {
		err = b.lease.End()
	}
	return err
}

// remove removes the VM, pulling its plug where it runs.
func (b *buildVM) remove() error {
	if b.lease != nil {
		if err := b.lease.End(); err != nil {
			return err
		}
	}
	return b.app.removeIfThere(b.name)
}

// stepOutput is where a build's steps print: here, or nowhere before a failure.
type stepOutput struct {
	mu   sync.Mutex
	to   io.Writer
	kept bytes.Buffer
}

func (a *app) stepOutput() *stepOutput {
	if a.quiet {
		return &stepOutput{}
	}
	return &stepOutput{to: a.Err}
}

func (o *stepOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.to != nil {
		return o.to.Write(p)
	}
	return o.kept.Write(p)
}

// show prints what was kept.
func (o *stepOutput) show(w io.Writer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept.WriteTo(w)
}
