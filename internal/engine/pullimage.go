package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"banger/internal/imagemgr"
	"banger/internal/kernel"
	"banger/internal/ref"
)

// PullImageOptions say where an image comes from and what to call it.
type PullImageOptions struct {
	Reference string
	Name      string    // "" is made of the reference
	KernelRef string    // the kernel that its VMs boot; "" is the catalog's, or what chooseKernel chooses
	Stdin     io.Reader // what "-" means
	Limits    imagemgr.Limits
	Insecure  bool   // plain http is fine for the registry; so it is for the configured ones
	CosignKey string // in PEM, that has to have signed a bundle in a registry; "" is none
	Events    Events
}

// ImagePull is what a pull, or a build, did.
type ImagePull struct {
	Image   imagemgr.Image
	Present bool // it was there already
}

// PullImage gets an image; one of a catalog's with its kernel.
func (e *Engine) PullImage(ctx context.Context, o PullImageOptions) (pull ImagePull, err error) {
	source, err := ref.ParseSource(o.Reference)
	if err != nil {
		return pull, err
	}
	if o.CosignKey != "" && source.Transport != ref.Artifact {
		return pull, ErrKeyElsewhere
	}
	if source.Transport == ref.Catalog {
		offer, err := e.findImage(ctx, source.Rest, o.Events)
		if err != nil {
			return pull, err
		}
		return e.pullImageOffer(ctx, offer, o)
	}
	if source.Transport == ref.Artifact {
		return e.pullImageArtifact(ctx, source, o)
	}
	if o.Name == "" {
		if o.Name, err = imageName(source); err != nil {
			return pull, err
		}
	}
	if o.KernelRef, err = e.chooseKernel(o.KernelRef); err != nil {
		return pull, err
	}
	pull.Image, err = e.images.Pull(ctx, imagemgr.PullOptions{
		Source: source, Name: o.Name, KernelRef: o.KernelRef, Stdin: o.Stdin, Limits: o.Limits, Insecure: o.Insecure || e.insecureRegistry(source), Progress: o.Events.progress, Warn: o.Events.warn,
	})
	return pull, err
}

// insecureRegistry reports whether the user has allowed plain http to a source's
// registry.
func (e *Engine) insecureRegistry(source ref.Source) bool {
	host, _, _ := strings.Cut(source.Rest, "/")
	remote := source.Transport == ref.Registry || source.Transport == ref.Artifact
	return remote && slices.Contains(e.Config.InsecureRegistries, host)
}

// ImageKernelError says that an image's kernel could not be had.
type ImageKernelError struct {
	Image string
	Err   error
}

func (e *ImageKernelError) Error() string {
	return fmt.Sprintf("get the kernel of image %q: %v", e.Image, e.Err)
}
func (e *ImageKernelError) Unwrap() error { return e.Err }

// pullImageOffer pulls a catalog's image, and the kernel that it is made for unless that
// is here already.
func (e *Engine) pullImageOffer(ctx context.Context, offer ImageOffer, o PullImageOptions) (pull ImagePull, err error) {
	entry := offer.Entry
	entry.KernelRef = cmp.Or(o.KernelRef, entry.KernelRef)
	_, err = e.kernels.Get(entry.KernelRef)
	if errors.As(err, new(*kernel.NotFoundError)) {
		k, err := e.PullKernel(ctx, PullKernelOptions{Reference: entry.KernelRef, Events: o.Events})
		if err != nil {
			return pull, &ImageKernelError{entry.Name, err}
		}
		o.Events.send(k)
	} else if err != nil {
		return pull, err
	}
	pull.Image, pull.Present, err = e.images.PullCatalog(ctx, imagemgr.CatalogOptions{
		Entry: entry, Name: cmp.Or(o.Name, entry.Name),
		Fetch: e.fetchOptions(offer.Insecure, o.Events), Progress: o.Events.progress,
	})
	return pull, err
}
