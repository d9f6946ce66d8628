package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"banger/internal/imagemgr"
	"banger/internal/kernel"
	"banger/internal/ref"
)

// Agree asks the user whether an image may be made, and returns nil if so. It may block for
// long. A nil Agree means that nobody can be asked.
type Agree func(ctx context.Context, image FirstImage) error

// FirstImage is an image that would be made from the distribution's archive.
type FirstImage struct {
	Name   string
	Source ref.Source // of the image; its kernel is the host's distribution's
}

// NotAgreedError says that an image does not exist and could be made, but nobody could be
// asked.
type NotAgreedError struct{ Image FirstImage }

func (e *NotAgreedError) Error() string { return fmt.Sprintf("there is no image %s yet", e.Image.Name) }

// provideImage makes sure that the configured image is there: a user's first
// VM has to come from somewhere. Images that the user names are never made.
func (e *Engine) provideImage(ctx context.Context, agree Agree, events Events) error {
	name := e.Config.Image
	_, err := e.images.Get(name)
	if !errors.As(err, new(*imagemgr.NotFoundError)) {
		return err
	}
	if offer, err := e.findImage(ctx, name, events); err == nil {
		_, err = e.pullImageOffer(ctx, offer, PullImageOptions{Name: name, Events: events})
		return err
	}
	suite, isDebian := strings.CutPrefix(name, "debian-")
	if !isDebian {
		return err
	}
	image := FirstImage{name, ref.Source{Transport: ref.Mmdebstrap, Rest: suite}}
	if agree == nil {
		return &NotAgreedError{image}
	}
	if err := agree(ctx, image); err != nil {
		return err
	}
	kernelName, err := e.provideKernel(ctx, events)
	if err != nil {
		return err
	}
	_, err = e.images.Pull(ctx, imagemgr.PullOptions{
		Source: image.Source, Name: name, KernelRef: kernelName, Progress: events.progress, Warn: events.warn,
	})
	return err
}

// provideKernel returns the kernel for an image that is made here: one that is
// there already, or the distribution's.
func (e *Engine) provideKernel(ctx context.Context, events Events) (string, error) {
	kernels, err := e.kernels.List()
	if err != nil {
		return "", err
	}
	if len(kernels) > 0 || e.Config.Kernel != "" {
		return e.chooseKernel("")
	}
	k, err := e.pullPackage(ctx, kernel.DefaultPackage(), PullKernelOptions{Events: events})
	return k.Name, err
}

// WhichKernelError says that it is left open which kernel an image boots: there is none,
// or more than one.
type WhichKernelError struct{ None bool }

func (e *WhichKernelError) Error() string {
	if e.None {
		return "there is no kernel yet for the image to boot"
	}
	return "it is not clear which kernel the image is to boot"
}

// chooseKernel returns the kernel that an image is to boot: the one named, the
// configured one, or the only one that is here.
func (e *Engine) chooseKernel(name string) (string, error) {
	if name == "" {
		name = e.Config.Kernel
	}
	if name != "" {
		_, err := e.kernels.Get(name)
		return name, err
	}
	kernels, err := e.kernels.List()
	if err != nil {
		return "", err
	}
	if len(kernels) == 1 {
		return kernels[0].Name, nil
	}
	return "", &WhichKernelError{None: len(kernels) == 0}
}
