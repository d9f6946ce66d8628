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
		op(http.MethodPost, "/images", "pullImage", "Get an image; one of a catalog's with its kernel", func(ctx context.Context, in struct {
			Body struct {
				Reference reference `json:"reference" jsonschema:"a name of a catalog, or a registry's, oci:DIR, tar:FILE, mmdebstrap:SUITE, ..."`
				Name      name      `json:"name,omitempty"`
				KernelRef name      `json:"kernel_ref,omitempty"`
				Insecure  bool      `json:"insecure,omitempty" jsonschema:"plain http is fine"`
			}
		}) (imagemgr.Image, error) {
			b := in.Body
			pull, err := s.engine.PullImage(ctx, engine.PullImageOptions{Reference: string(b.Reference), Name: string(b.Name), KernelRef: string(b.KernelRef), Insecure: b.Insecure})
			return pull.Image, notGot(err)
		}),
		op(http.MethodGet, "/images/{name}", "getImage", "An image", func(_ context.Context, in named) (engine.ImageInfo, error) {
			return s.engine.Image(in.Name)
		}),
		op(http.MethodDelete, "/images/{name}", "removeImage", "Remove an image", func(_ context.Context, in forced) (none, error) {
			return none{}, s.engine.RemoveImage(in.Name, in.Force)
		}),
		op(http.MethodGet, "/kernels", "listKernels", "All kernels", func(context.Context, struct{}) ([]kernel.Kernel, error) {
			kernels, err := s.engine.ListKernels()
			return append([]kernel.Kernel{}, kernels...), err
		}),
		op(http.MethodPost, "/kernels", "pullKernel", "Get a kernel", func(ctx context.Context, in struct {
			Body struct {
				Reference reference `json:"reference" jsonschema:"a name of a catalog, or apt:PACKAGE"`
			}
		}) (kernel.Kernel, error) {
			pull, err := s.engine.PullKernel(ctx, engine.PullKernelOptions{Reference: string(in.Body.Reference)})
			return pull.Kernel, notGot(err)
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
