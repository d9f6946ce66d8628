package engine

import (
	"context"
	"errors"
	"fmt"
	"io"

	"banger/internal/kernel"
	"banger/internal/kernelcat"
)

// ListKernels returns all kernels, sorted by name.
func (e *Engine) ListKernels() ([]kernel.Kernel, error) { return e.kernels.List() }

// Kernel returns the named kernel and what needs it.
func (e *Engine) Kernel(name string) (k kernel.Kernel, users []string, err error) {
	if k, err = e.kernels.Get(name); err != nil {
		return k, nil, err
	}
	users, err = e.kernelUsers(name)
	return k, users, err
}

// AvailableKernel is a kernel of a catalog's.
type AvailableKernel struct {
	kernelcat.Entry
	Catalog string `json:"catalog"`
	State   string `json:"state"` // of the store
}

// AvailableKernels returns what the catalogs have.
func (e *Engine) AvailableKernels(ctx context.Context, events Events) ([]AvailableKernel, error) {
	set, err := e.kernelCatalogs(ctx, events)
	if err != nil {
		return nil, err
	}
	var all []AvailableKernel
	for _, offer := range set.All() {
		state, err := e.kernelState(offer.Entry)
		if err != nil {
			return nil, err
		}
		all = append(all, AvailableKernel{offer.Entry, offer.Catalog, state})
	}
	return all, nil
}

// kernelState says what the store has of an entry.
func (e *Engine) kernelState(entry kernelcat.Entry) (string, error) {
	k, err := e.kernels.Get(entry.Name)
	switch {
	case errors.As(err, new(*kernel.NotFoundError)) || entry.Arch != kernel.Arch:
		return "available", nil
	case err != nil:
		return "", err
	case k.IsOf(entry):
		return "pulled", nil
	case k.BundleDigest != "":
		return fmt.Sprintf("update of %s", k.KernelVersion), nil
	}
	return "name taken", nil
}

// ImportKernel takes a kernel from this machine.
func (e *Engine) ImportKernel(ctx context.Context, o kernel.ImportOptions) (kernel.Kernel, error) {
	return e.kernels.Import(ctx, o)
}

// VerifyKernel checks a kernel's files against its manifest.
func (e *Engine) VerifyKernel(ctx context.Context, name string) error {
	if _, err := e.kernels.Get(name); err != nil {
		return err
	}
	return removed("kernel", name, e.kernels.Verify(ctx, name))
}

// PackKernel writes a kernel as a catalog's bundle.
func (e *Engine) PackKernel(ctx context.Context, name string, w io.Writer) (kernel.Packed, error) {
	return e.kernels.Pack(ctx, name, w)
}

// RemoveKernel removes a kernel. One that an image or a VM needs is an
// *InUseError, but where force says so.
func (e *Engine) RemoveKernel(name string, force bool) error {
	if !force {
		if err := e.kernelUnused(name); err != nil {
			return err
		}
	}
	if err := e.kernels.Remove(name); err != nil {
		return err
	}
	return e.removeStaleTemplates()
}
