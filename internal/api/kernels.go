package api

import (
	"context"
	"net/http"

	"banger/internal/engine"
	"banger/internal/kernel"
)

func (s *server) kernelOperations() []operation {
	return []operation{
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
