package api

import (
	"context"
	"net/http"

	"banger/internal/engine"
	"banger/internal/imagemgr"
	"banger/internal/kernel"
)

// storeOperations are those on images and kernels.
func (s *server) storeOperations() []operation {
	return []operation{
		op(http.MethodGet, "/images", "listImages", "All images", func(context.Context, struct{}) ([]engine.ImageInfo, error) {
			images, err := s.engine.ListImages()
			return append([]engine.ImageInfo{}, images...), err
		}),
		told(http.MethodPost, "/images", "pullImage", "Get an image; one of a catalog's with its kernel", func(ctx context.Context, in struct {
			Body struct {
				Reference reference `json:"reference" jsonschema:"a name of a catalog, or a registry's, oci:DIR, tar:FILE, mmdebstrap:SUITE, ..."`
				Name      name      `json:"name,omitempty"`
				KernelRef name      `json:"kernel_ref,omitempty"`
				Insecure  bool      `json:"insecure,omitempty" jsonschema:"plain http is fine"`
			}
		}, events engine.Events) (imagemgr.Image, error) {
			b := in.Body
			pull, err := s.engine.PullImage(ctx, engine.PullImageOptions{
				Reference: string(b.Reference), Name: string(b.Name), KernelRef: string(b.KernelRef), Insecure: b.Insecure, Events: events,
			})
			return pull.Image, notGot(err)
		}),
		told(http.MethodPost, "/builds", "buildImage", "Make an image of another one, in a throw-away VM, or of a Dockerfile", s.buildImage),
		op(http.MethodPost, "/imports/images", "registerImage", "Make an image of an ext4 file system of this machine", func(ctx context.Context, in struct {
			Body struct {
				Name      name     `json:"name"`
				Rootfs    hostPath `json:"rootfs"`
				KernelRef name     `json:"kernel_ref,omitempty"`
				Replace   bool     `json:"replace,omitempty" jsonschema:"an image of that name gives way"`
			}
		}) (imagemgr.Image, error) {
			b := in.Body
			i, err := s.engine.RegisterImage(ctx, imagemgr.RegisterOptions{Name: string(b.Name), Rootfs: string(b.Rootfs), KernelRef: string(b.KernelRef), Replace: b.Replace})
			return i, refused(err)
		}),
		op(http.MethodPost, "/prune/images", "pruneImages", "Remove what was fetched from registries and is kept for the next time", func(_ context.Context, in struct {
			Unused bool `query:"unused" doc:"and the images that no VM uses"`
		}) (prunedImages, error) {
			p, err := s.engine.PruneImages(in.Unused)
			return prunedImages{append([]string{}, p.Images...), p.Freed}, err
		}),
		op(http.MethodGet, "/images/{name}", "getImage", "An image", func(_ context.Context, in named) (engine.ImageInfo, error) {
			return s.engine.Image(in.Name)
		}),
		op(http.MethodPost, "/images/{name}/rename", "renameImage", "Give an image that no VM uses another name", func(_ context.Context, in struct {
			Name string `path:"name"`
			Body struct {
				Name name `json:"name"`
			}
		}) (engine.ImageInfo, error) {
			if err := s.engine.RenameImage(in.Name, string(in.Body.Name)); err != nil {
				return engine.ImageInfo{}, err
			}
			return s.engine.Image(string(in.Body.Name))
		}),
		op(http.MethodPost, "/images/{name}/verify", "verifyImage", "Check an image's file system against its manifest", func(ctx context.Context, in named) (none, error) {
			return none{}, refused(s.engine.VerifyImage(ctx, in.Name))
		}),
		s.pushOperation("/images/{name}/push", "pushImage", "Put an image into an OCI registry", s.engine.PushImage),
		told(http.MethodPost, "/images/{name}/warm", "warmImage", "Boot a throw-away VM of an image, for others to go on from in place of booting", s.warmImage),
		stream(http.MethodGet, "/images/{name}/export", "exportImage", "An image in a format that others read", "application/octet-stream", s.exportImage),
		op(http.MethodDelete, "/images/{name}", "removeImage", "Remove an image", func(_ context.Context, in forced) (none, error) {
			return none{}, s.engine.RemoveImage(in.Name, in.Force)
		}),
		op(http.MethodGet, "/kernels", "listKernels", "All kernels", func(context.Context, struct{}) ([]kernel.Kernel, error) {
			kernels, err := s.engine.ListKernels()
			return append([]kernel.Kernel{}, kernels...), err
		}),
		told(http.MethodPost, "/kernels", "pullKernel", "Get a kernel", func(ctx context.Context, in struct {
			Body struct {
				Reference reference `json:"reference" jsonschema:"a name of a catalog, or apt:PACKAGE"`
				Name      name      `json:"name,omitempty" jsonschema:"of a package's kernel"`
				Update    bool      `json:"update,omitempty" jsonschema:"replace what an older bundle of the catalog held"`
				Force     bool      `json:"force,omitempty" jsonschema:"replace whatever has the name"`
			}
		}, events engine.Events) (kernel.Kernel, error) {
			b := in.Body
			pull, err := s.engine.PullKernel(ctx, engine.PullKernelOptions{Reference: string(b.Reference), Name: string(b.Name), Update: b.Update, Force: b.Force, Events: events})
			return pull.Kernel, notGot(err)
		}),
		s.pushOperation("/kernels/{name}/push", "pushKernel", "Put a kernel into an OCI registry", s.engine.PushKernel),
		op(http.MethodPost, "/imports/kernels", "importKernel", "Take a kernel from this machine", func(ctx context.Context, in struct {
			Body struct {
				Name   name     `json:"name"`
				From   hostPath `json:"from" jsonschema:"a directory with vmlinux, initrd.img and modules/, or a kernel's file"`
				Distro name     `json:"distro,omitempty"`
			}
		}) (kernel.Kernel, error) {
			b := in.Body
			k, err := s.engine.ImportKernel(ctx, kernel.ImportOptions{Name: string(b.Name), From: string(b.From), Distro: string(b.Distro)})
			return k, refused(err)
		}),
		op(http.MethodPost, "/kernels/{name}/verify", "verifyKernel", "Check a kernel's files against its manifest", func(ctx context.Context, in named) (none, error) {
			return none{}, refused(s.engine.VerifyKernel(ctx, in.Name))
		}),
		op(http.MethodGet, "/kernels/{name}", "getKernel", "A kernel", func(_ context.Context, in named) (kernel.Kernel, error) {
			k, _, err := s.engine.Kernel(in.Name)
			return k, err
		}),
		op(http.MethodDelete, "/kernels/{name}", "removeKernel", "Remove a kernel", func(_ context.Context, in forced) (none, error) {
			return none{}, s.engine.RemoveKernel(in.Name, in.Force)
		}),
	}
}

// pushed is what a registry has now.
type pushed struct {
	Reference string `json:"reference" jsonschema:"by its digest"`
}

func (s *server) pushOperation(path, id, summary string, push func(context.Context, engine.PushOptions) (string, error)) operation {
	return told(http.MethodPost, path, id, summary, func(ctx context.Context, in struct {
		Name string `path:"name"`
		Body struct {
			Reference artifactReference `json:"reference" jsonschema:"oci://REGISTRY/REPOSITORY[:TAG]"`
			Insecure  bool              `json:"insecure,omitempty" jsonschema:"plain http is fine"`
		}
	}, events engine.Events) (pushed, error) {
		at, err := push(ctx, engine.PushOptions{Name: in.Name, Reference: string(in.Body.Reference), Insecure: in.Body.Insecure, Events: events})
		return pushed{at}, refused(err)
	})
}

type forced struct {
	Name  string `path:"name"`
	Force bool   `query:"force" doc:"one that is used too"`
}

// notGot is an error of a pull: what a reference names is not to be had.
func notGot(err error) error {
	if err == nil || status(err) != http.StatusInternalServerError {
		return err
	}
	return &notGotError{err}
}

type notGotError struct{ error }

func (e *notGotError) Unwrap() error { return e.error }
