package cli

import (
	"context"
	"errors"
	"fmt"

	"banger/internal/catalog"
	"banger/internal/kernel"
	"banger/internal/kernelcat"
	"banger/internal/size"
)

type kernelOffer = catalog.Offer[kernelcat.Entry]

// kernelCatalogs reads all catalogs of kernels, and says which it cannot.
func (a *app) kernelCatalogs(ctx context.Context) (*catalog.Set[kernelcat.Entry], error) {
	at := catalog.Locations(catalog.Kernels, a.config.Catalogs, a.config.KernelCatalog)
	set, err := kernelcat.Open(ctx, a.catalogLoader(), at)
	if err != nil {
		return nil, err
	}
	for _, fault := range set.Faults {
		a.say("banger: %v", fault)
	}
	return set, nil
}

func (a *app) catalogLoader() *catalog.Loader {
	return &catalog.Loader{Cache: a.dirs.CatalogTree(), Fetch: a.fetchOptions(false)}
}

func (a *app) findKernel(ctx context.Context, name string) (kernelOffer, error) {
	set, err := a.kernelCatalogs(ctx)
	if err != nil {
		return kernelOffer{}, err
	}
	return set.Find(name, kernel.Arch)
}

// availableKernel is a line of kernel list --available.
type availableKernel struct {
	kernelcat.Entry
	Catalog string `json:"catalog"`
	State   string `json:"state"` // of the store
}

func (a *app) listAvailableKernels(ctx context.Context) error {
	set, err := a.kernelCatalogs(ctx)
	if err != nil {
		return err
	}
	var all []availableKernel
	for _, offer := range set.All() {
		state, err := a.kernelState(offer.Entry)
		if err != nil {
			return err
		}
		all = append(all, availableKernel{offer.Entry, offer.Catalog, state})
	}
	if len(all) == 0 {
		a.say("the catalogs are empty; kernels also come from your distribution (banger kernel pull apt:linux-image-cloud-amd64), " +
			"from a file or directory (banger kernel import), and from banger's source (make kernel)")
	}
	return list(a, all, "NAME DISTRO ARCH VERSION SIZE STATE DESCRIPTION", func(k availableKernel) []string {
		return []string{k.Name, k.Distro, k.Arch, k.KernelVersion, size.Size(k.SizeBytes).String(), k.State, k.Description}
	})
}

// kernelState says what the store has of an entry.
func (a *app) kernelState(e kernelcat.Entry) (string, error) {
	k, err := a.kernels.Get(e.Name)
	switch {
	case errors.As(err, new(*kernel.NotFoundError)) || e.Arch != kernel.Arch:
		return "available", nil
	case err != nil:
		return "", err
	case k.IsOf(e):
		return "pulled", nil
	case k.BundleDigest != "":
		return fmt.Sprintf("update of %s", k.KernelVersion), nil
	}
	return "name taken", nil
}
