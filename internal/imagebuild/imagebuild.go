// Package imagebuild builds images: of an image, by what is done in a
// throw-away VM of it, and of a Dockerfile, by whichever program for that the
// host has.
//
// An image is made whole or not at all. The base is never written to, and what
// a build leaves behind when it fails is its output. The package starts no VM
// itself: it is given one.
package imagebuild

import (
	"context"
	"errors"
	"fmt"
	"io"

	"banger/internal/agent"
	"banger/internal/imagemgr"
)

// Options say what to build of a base.
type Options struct {
	Base      imagemgr.Image
	Name      string
	KernelRef string   // only recorded
	Packages  []string // beside imagemgr.DebianBasePackages
	Copies    []Copy
	Script    string   // path of a program to run in the guest, or ""
	Env       []string // KEY=VALUE, beside the base's, of all programs in the image's VMs; ${KEY} is what it was
	Replace   bool     // an image of that name gives way
}

// Guest is a running guest, as agent.Client is.
type Guest interface {
	Run(ctx context.Context, p agent.Program, streams agent.Streams) (int, error)
	CopyDir(ctx context.Context, dir string, names []string, target string) error
	CopyFile(ctx context.Context, file, target string) error
	ReadRoot(ctx context.Context, w io.Writer) error
}

// VM is a throw-away VM of the base. Its owner removes it after the build.
type VM interface {
	// Boot boots it, with the image's own init or with banger's agent alone.
	Boot(ctx context.Context, agentOnly bool) (Guest, error)
	// Stop shuts it down cleanly.
	Stop(ctx context.Context) error
}

// Builder builds images.
type Builder struct {
	Images *imagemgr.Store
	Output io.Writer         // what the steps print
	Say    func(step string) // hears of each step as it begins
}

// StepError says that something that ran in the guest failed.
type StepError struct {
	Step   string
	Status int
}

func (e *StepError) Error() string {
	return fmt.Sprintf("%s: it ended with status %d", e.Step, e.Status)
}

// Existing returns the image of o.Name where it was built of the same inputs
// before. The error is a *OtherInputsError where it was not.
func (b *Builder) Existing(o Options) (*imagemgr.Image, error) {
	inputs, err := o.Inputs()
	if err != nil {
		return nil, err
	}
	i, err := b.Images.Get(o.Name)
	if _, none := errors.AsType[*imagemgr.NotFoundError](err); none {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if i.Build == nil || i.Build.Inputs != inputs {
		return nil, &OtherInputsError{o.Name}
	}
	return &i, nil
}

// OtherInputsError says that an image is not what a build would make.
type OtherInputsError struct{ Name string }

func (e *OtherInputsError) Error() string {
	return fmt.Sprintf("image %q already exists, and was made of something else", e.Name)
}

// FromImage builds an image of another one in vm.
func (b *Builder) FromImage(ctx context.Context, vm VM, o Options) (imagemgr.Image, error) {
	build := &imagemgr.Build{Base: o.Base.Name, BaseDigest: o.Base.Digest}
	var err error
	if build.Inputs, err = o.Inputs(); err != nil {
		return imagemgr.Image{}, err
	}
	if build.Packages, err = b.change(ctx, vm, o); err != nil {
		return imagemgr.Image{}, err
	}
	build.PackagesDigest = packagesDigest(build.Packages)
	b.Say("shutting down")
	if err := vm.Stop(ctx); err != nil {
		return imagemgr.Image{}, err
	}
	return b.capture(ctx, vm, imagemgr.TarOptions{
		Name: o.Name, KernelRef: o.KernelRef, Source: "image:" + o.Base.Name, Config: o.config(),
		Build: build, Replace: o.Replace,
	})
}

// change does in the guest what the options say, and returns the packages that
// are there then.
func (b *Builder) change(ctx context.Context, vm VM, o Options) ([]imagemgr.Package, error) {
	guest, err := vm.Boot(ctx, false)
	if err != nil {
		return nil, err
	}
	w := &worker{guest: guest, output: b.Output, say: b.Say}
	if err := w.install(ctx, o); err != nil {
		return nil, err
	}
	if len(o.Copies) > 0 || o.Script != "" {
		if err := w.settle(ctx); err != nil {
			return nil, err
		}
	}
	for _, c := range o.Copies {
		if err := w.copy(ctx, c); err != nil {
			return nil, err
		}
	}
	if o.Script != "" {
		if err := w.runScript(ctx, o.Script); err != nil {
			return nil, err
		}
	}
	return w.installed(ctx)
}

// capture makes an image of what the VM has become. No program of the image's
// runs meanwhile, so that nothing changes under its hands.
func (b *Builder) capture(ctx context.Context, vm VM, o imagemgr.TarOptions) (imagemgr.Image, error) {
	guest, err := vm.Boot(ctx, true)
	if err != nil {
		return imagemgr.Image{}, err
	}
	b.Say("making the image")
	reading, stop := context.WithCancel(ctx)
	defer stop()
	pr, pw := io.Pipe()
	read := make(chan struct{})
	go func() {
		defer close(read)
		pw.CloseWithError(guest.ReadRoot(reading, pw))
	}()
	o.Tar = pr
	i, err := b.Images.FromTar(ctx, o)
	stop()
	pr.Close()
	<-read
	return i, err
}
