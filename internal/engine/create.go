package engine

import (
	"cmp"
	"context"
	"fmt"

	"banger/internal/imagemgr"
	"banger/internal/secret"
	"banger/internal/statedir"
	"banger/internal/usernet/policy"
	"banger/internal/vm"
)

// CreateVM makes a VM that stays, and does not start it. If it is to have the configured
// image and that does not exist yet, the image is made first.
func (e *Engine) CreateVM(ctx context.Context, o VMOptions, agree Agree, events Events) (vm.VM, error) {
	o.Ephemeral = false // who would remove it?
	if err := keepable(o.Secrets); err != nil {
		return vm.VM{}, err
	}
	v, _, err := e.createVM(ctx, o, agree, events)
	return v, err
}

// createVM is CreateVM that can also make an ephemeral VM, which comes with a claim.
func (e *Engine) createVM(ctx context.Context, o VMOptions, agree Agree, events Events) (v vm.VM, claim *statedir.Lock, err error) {
	if v, err = e.specify(ctx, o, agree, events); err != nil {
		return v, nil, err
	}
	undo, err := e.provideVolumes(ctx, o.Volumes, events)
	if err != nil {
		return v, nil, err
	}
	image := v.Image
	if o.Ephemeral {
		v, claim, err = e.vms.CreateEphemeral(ctx, v, e.images.Rootfs(v.Image))
	} else {
		v, err = e.vms.Create(ctx, v, e.images.Rootfs(v.Image))
	}
	if err != nil {
		undo()
	}
	return v, claim, lost("image", image, e.Dirs.ImageTree().Exists, err)
}

// specify fills in what a VM's options leave open, and makes sure that the image and the
// kernel exist.
func (e *Engine) specify(ctx context.Context, o VMOptions, agree Agree, events Events) (vm.VM, error) {
	if _, err := e.backend(o.VMM); err != nil {
		return vm.VM{}, err
	}
	if _, err := policy.New(o.Policy); err != nil {
		return vm.VM{}, err
	}
	if err := secret.Check(kept(o.Secrets)); err != nil {
		return vm.VM{}, err
	}
	if o.Image == "" {
		if err := e.provideImage(ctx, agree, events); err != nil {
			return vm.VM{}, err
		}
	}
	asked, err := e.imageFor(ctx, cmp.Or(o.Image, e.Config.Image), o.Kernel, events)
	if err != nil {
		return vm.VM{}, err
	}
	o.Image = asked
	if o.Name == "" {
		o.Name = madeUpName(o.Image)
	}
	image, err := e.images.Get(o.Image)
	if err != nil {
		return vm.VM{}, err
	}
	mounts, err := e.mounts(o.Mounts, image)
	if err != nil {
		return vm.VM{}, err
	}
	kernel, err := e.kernelFor(image, o.Kernel)
	if err != nil {
		return vm.VM{}, err
	}
	v := vm.VM{
		Name: o.Name, Image: o.Image, ImageDigest: image.Digest, Kernel: kernel, CPUs: o.CPUs,
		MemoryMiB: int(o.Memory >> 20), DiskBytes: int64(o.Disk),
		HostLoopback: o.HostLoopback, Ports: o.Ports, PublishAll: o.PublishAll, Mounts: mounts, Policy: o.Policy, VMM: o.VMM,
		MaxConnections: o.Connections, Cold: o.Cold,
		Secrets: kept(o.Secrets), Detached: o.Detached, Main: o.Main, Volumes: o.Volumes, Labels: o.Labels, TTL: o.TTL, IdleTimeout: o.IdleTimeout,
	}
	return v, e.setPlaces(&v, o.Networks)
}

// NoKernelError says that it is left open which kernel a VM boots.
type NoKernelError struct{ Image string }

func (e *NoKernelError) Error() string { return fmt.Sprintf("image %q names no kernel", e.Image) }

// kernelFor returns which kernel a new VM of an image boots: the one asked for, unless that
// is "", the image's or the configured one. It exists.
func (e *Engine) kernelFor(image imagemgr.Image, kernel string) (string, error) {
	name := cmp.Or(kernel, image.KernelRef, e.Config.Kernel)
	if name == "" {
		return "", &NoKernelError{image.Name}
	}
	_, err := e.kernels.Get(name)
	return name, err
}
