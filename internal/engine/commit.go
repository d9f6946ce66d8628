package engine

import (
	"context"
	"errors"
	"io"
	"time"

	"banger/internal/imagemgr"
	"banger/internal/vm"
)

// CommitOptions say which VM's disk is to become an image.
type CommitOptions struct {
	VM, Image string
	Replace   bool // an image of that name gives way
}

// CommitVM makes an image of a VM's root as it is. A VM that is stopped is booted
// for it, without its init, and stopped again.
func (e *Engine) CommitVM(ctx context.Context, o CommitOptions, events Events) (imagemgr.Image, error) {
	v, err := e.vms.Get(o.VM)
	if err != nil {
		return imagemgr.Image{}, err
	}
	if err := e.replaceable(o.Image, o.Replace); err != nil {
		return imagemgr.Image{}, err
	}
	if err := e.images.CheckFree(o.Image, o.Replace); err != nil {
		return imagemgr.Image{}, err
	}
	base, err := e.imageOf(v)
	if err != nil {
		return imagemgr.Image{}, err
	}
	if !v.State.Phase.Alive() {
		if v.Ephemeral {
			return imagemgr.Image{}, &vm.EphemeralError{Name: o.VM}
		}
		lease, err := e.start(ctx, SuperviseOptions{Name: o.VM, NoInit: true, Foreground: true}, events)
		if err != nil {
			return imagemgr.Image{}, err
		}
		lease.Foreground()
		defer func() { events.warn(e.endCommit(ctx, o.VM, lease, events)) }()
	}
	return e.commit(ctx, o, v, base, events)
}

// hurriedPatience is how long a guest may take to shut down that was booted for a commit which
// was given up: nothing was written to its disk.
const hurriedPatience = time.Second

// endCommit stops a VM that was booted for a commit.
func (e *Engine) endCommit(ctx context.Context, name string, lease *vm.Lease, events Events) error {
	patience := DefaultPatience
	if ctx.Err() != nil {
		patience = hurriedPatience
	}
	events.stage("stopping " + name)
	_, err := e.vms.Stop(context.WithoutCancel(ctx), name, patience)
	return errors.Join(err, lease.End())
}

func (e *Engine) commit(ctx context.Context, o CommitOptions, v vm.VM, base imagemgr.Image, events Events) (imagemgr.Image, error) {
	client := e.agent(o.VM, guestRoot)
	events.stage("making the image")
	reading, stop := context.WithCancel(ctx)
	defer stop()
	pr, pw := io.Pipe()
	read := make(chan struct{})
	go func() {
		defer close(read)
		pw.CloseWithError(client.ReadRoot(reading, pw))
	}()
	i, err := e.images.FromTar(ctx, imagemgr.TarOptions{
		Name: o.Image, KernelRef: v.Kernel, Source: "vm:" + o.VM, Config: base.Config, Tar: pr, Replace: o.Replace,
		Build: &imagemgr.Build{Base: v.Image, BaseDigest: v.ImageDigest},
	})
	stop()
	pr.Close()
	<-read
	return i, err
}
