package engine

import (
	"context"
	"slices"

	"banger/internal/catalog"
	"banger/internal/config"
	"banger/internal/fetch"
	"banger/internal/imagecat"
	"banger/internal/kernel"
	"banger/internal/kernelcat"
)

type (
	// KernelOffer is a kernel that one of the user's catalogs has.
	KernelOffer = catalog.Offer[kernelcat.Entry]
	// ImageOffer is an image that one has.
	ImageOffer = catalog.Offer[imagecat.Entry]
)

func (e *Engine) fetchOptions(insecure bool, events Events) fetch.Options {
	return fetch.Options{UserAgent: "banger/" + e.Version, Insecure: insecure, Say: events.notice}
}

func (e *Engine) loader(events Events) *catalog.Loader {
	return &catalog.Loader{Cache: e.Dirs.CatalogTree(), Fetch: e.fetchOptions(false, events)}
}

// kernelCatalogs reads all catalogs of kernels, and warns of those that it cannot read.
func (e *Engine) kernelCatalogs(ctx context.Context, events Events) (*catalog.Set[kernelcat.Entry], error) {
	at := catalog.Locations(catalog.Kernels, e.Config.Catalogs, e.Config.KernelCatalog)
	set, err := kernelcat.Open(ctx, e.loader(events), at)
	return warned(set, err, events)
}

// imageCatalogs reads all catalogs of images, and warns of those that it cannot read.
func (e *Engine) imageCatalogs(ctx context.Context, events Events) (*catalog.Set[imagecat.Entry], error) {
	at := catalog.Locations(catalog.Images, e.Config.Catalogs, e.Config.ImageCatalog)
	set, err := imagecat.Open(ctx, e.loader(events), at)
	return warned(set, err, events)
}

func warned[E catalog.Item](set *catalog.Set[E], err error, events Events) (*catalog.Set[E], error) {
	if err != nil {
		return nil, err
	}
	for _, fault := range set.Faults {
		events.warn(fault)
	}
	return set, nil
}

func (e *Engine) findKernel(ctx context.Context, name string, events Events) (KernelOffer, error) {
	set, err := e.kernelCatalogs(ctx, events)
	if err != nil {
		return KernelOffer{}, err
	}
	return set.Find(name, kernel.Arch)
}

func (e *Engine) findImage(ctx context.Context, name string, events Events) (ImageOffer, error) {
	set, err := e.imageCatalogs(ctx, events)
	if err != nil {
		return ImageOffer{}, err
	}
	return set.Find(name, kernel.Arch)
}

// Catalogs returns where catalogs come from, in the order in which they count.
func (e *Engine) Catalogs() []catalog.Source {
	return append(slices.Clone(e.Config.Catalogs), catalog.Source{Name: catalog.BuiltIn})
}

// CatalogContent is how much a catalog has of a kind.
type CatalogContent struct {
	Name    string
	Kind    catalog.Kind
	Entries int
}

// AddCatalog adds a source to the configuration, once its catalogs have been read.
func (e *Engine) AddCatalog(ctx context.Context, s catalog.Source, events Events) ([]CatalogContent, error) {
	if err := catalog.CheckSources(append([]catalog.Source{s}, e.Config.Catalogs...)); err != nil {
		return nil, err
	}
	content, err := e.refresh(ctx, s, events)
	if err != nil {
		return content, err
	}
	return content, config.AddCatalog(e.Dirs.Config, s)
}

// RemoveCatalog removes a source from the configuration; what was pulled from
// its catalogs stays.
func (e *Engine) RemoveCatalog(name string) error { return config.RemoveCatalog(e.Dirs.Config, name) }

// RefreshCatalog fetches a source's catalogs anew. The error is a *config.NoCatalogError
// if there is no source of that name.
func (e *Engine) RefreshCatalog(ctx context.Context, name string, events Events) ([]CatalogContent, error) {
	for _, s := range e.Config.Catalogs {
		if s.Name == name {
			return e.refresh(ctx, s, events)
		}
	}
	return nil, &config.NoCatalogError{Name: name}
}

// refresh fetches a source's catalogs. If it fails, it also returns what it fetched before.
func (e *Engine) refresh(ctx context.Context, s catalog.Source, events Events) ([]CatalogContent, error) {
	kernels, err := refreshKind[kernelcat.Entry](ctx, e.loader(events), s, catalog.Kernels)
	if err != nil {
		return kernels, err
	}
	images, err := refreshKind[imagecat.Entry](ctx, e.loader(events), s, catalog.Images)
	return append(kernels, images...), err
}

func refreshKind[E catalog.Item](ctx context.Context, l *catalog.Loader, s catalog.Source, kind catalog.Kind) ([]CatalogContent, error) {
	var content []CatalogContent
	for _, at := range catalog.Locations(kind, []catalog.Source{s}, "") {
		c, err := catalog.Refresh[E](ctx, l, at)
		if err != nil {
			return content, err
		}
		content = append(content, CatalogContent{s.Name, kind, len(c.Entries)})
	}
	return content, nil
}
