package cli

import (
	"context"
	"errors"
	"fmt"

	"banger/internal/catalog"
	"banger/internal/imagecat"
	"banger/internal/imagemgr"
	"banger/internal/kernel"
	"banger/internal/size"
)

type imageOffer = catalog.Offer[imagecat.Entry]

// imageCatalogs reads all catalogs of images, and says which it cannot.
func (a *app) imageCatalogs(ctx context.Context) (*catalog.Set[imagecat.Entry], error) {
	at := catalog.Locations(catalog.Images, a.config.Catalogs, a.config.ImageCatalog)
	set, err := imagecat.Open(ctx, a.catalogLoader(), at)
	if err != nil {
		return nil, err
	}
	for _, fault := range set.Faults {
		a.say("banger: %v", fault)
	}
	return set, nil
}

func (a *app) findImage(ctx context.Context, name string) (imageOffer, error) {
	set, err := a.imageCatalogs(ctx)
	if err != nil {
		return imageOffer{}, err
	}
	return set.Find(name, kernel.Arch)
}

// availableImage is a line of image list --available.
type availableImage struct {
	imagecat.Entry
	Catalog string `json:"catalog"`
	State   string `json:"state"` // of the store
}

func (a *app) listAvailableImages(ctx context.Context) error {
	set, err := a.imageCatalogs(ctx)
	if err != nil {
		return err
	}
	var all []availableImage
	for _, offer := range set.All() {
		all = append(all, availableImage{offer.Entry, offer.Catalog, a.imageState(offer.Entry)})
	}
	if len(all) == 0 {
		a.say("the catalogs are empty; images also come from Debian's archive (banger image pull mmdebstrap:bookworm), " +
			"from registries and archives (banger image pull --help), and from what you build (banger image build)")
	}
	return list(a, all, "NAME DISTRO ARCH KERNEL SIZE STATE DESCRIPTION", func(i availableImage) []string {
		return []string{i.Name, i.Distro, i.Arch, i.KernelRef, size.Size(i.SizeBytes).String(), i.State, i.Description}
	})
}

// imageState says what the store has of an entry.
func (a *app) imageState(e imagecat.Entry) string {
	i, err := a.images.Get(e.Name)
	switch {
	case errors.As(err, new(*imagemgr.NotFoundError)):
		return "available"
	case err == nil && i.IsOf(e):
		return "pulled"
	}
	return "name taken"
}

// pullCatalogImage gets an image of a catalog, and the kernel that it is made
// for where that is not here.
func (a *app) pullCatalogImage(ctx context.Context, offer imageOffer, name, kernelRef string) error {
	e := offer.Entry
	e.KernelRef = or(kernelRef, e.KernelRef)
	if _, err := a.kernels.Get(e.KernelRef); errors.As(err, new(*kernel.NotFoundError)) {
		k, err := a.findKernel(ctx, e.KernelRef)
		if err == nil {
			err = a.pullOffer(ctx, k, kernelPullOptions{})
		}
		if err != nil {
			return withHint(fmt.Errorf("get the kernel of image %q: %w", e.Name, err), "--kernel-ref names another kernel")
		}
	} else if err != nil {
		return err
	}
	p := a.newProgress()
	defer p.end()
	i, present, err := a.images.PullCatalog(ctx, imagemgr.CatalogOptions{
		Entry: e, Name: name, Fetch: a.fetchOptions(offer.Insecure), Progress: p.report,
	})
	p.end()
	if err == nil && present {
		a.say("image %s is here already", i.Name)
	}
	return err
}
