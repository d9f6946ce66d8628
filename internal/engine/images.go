package engine

import (
	"context"
	"errors"
	"io"

	"banger/internal/imagecat"
	"banger/internal/imagemgr"
	"banger/internal/warm"
)

// ImageInfo is an image and what the machine's state says of it.
type ImageInfo struct {
	imagemgr.Image
	OnDisk int64    `json:"on_disk"` // bytes
	VMs    []string `json:"vms"`     // those that use it

	Warm    []warm.Template `json:"warm"`     // what its VMs go on from in place of booting
	WarmOff bool            `json:"warm_off"` // there is to be none
}

// ListImages returns all images, sorted by name.
func (e *Engine) ListImages() ([]ImageInfo, error) {
	images, err := e.images.List()
	if err != nil {
		return nil, err
	}
	vms, err := e.vms.List()
	if err != nil {
		return nil, err
	}
	users := map[string][]string{}
	for _, v := range vms {
		users[v.Image] = append(users[v.Image], v.Name)
	}
	warmth, err := e.warmImages()
	if err != nil {
		return nil, err
	}
	var all []ImageInfo
	for _, i := range images {
		all = append(all, e.imageInfo(i, users[i.Name], warmth(i)))
	}
	return all, nil
}

func (e *Engine) imageInfo(i imagemgr.Image, users []string, w ImageWarmth) ImageInfo {
	return ImageInfo{i, e.images.OnDisk(i.Name), append([]string{}, users...), append([]warm.Template{}, w.Templates...), w.Off}
}

// Image returns the named image.
func (e *Engine) Image(name string) (ImageInfo, error) {
	i, err := e.images.Get(name)
	if err != nil {
		return ImageInfo{}, err
	}
	users, err := e.imageUsers(name)
	if err != nil {
		return ImageInfo{}, err
	}
	warmth, err := e.warmImages()
	if err != nil {
		return ImageInfo{}, err
	}
	return e.imageInfo(i, users, warmth(i)), nil
}

// AvailableImage is an image of a catalog's.
type AvailableImage struct {
	imagecat.Entry
	Catalog string `json:"catalog"`
	State   string `json:"state"` // of the store
}

// AvailableImages returns what the catalogs have.
func (e *Engine) AvailableImages(ctx context.Context, events Events) ([]AvailableImage, error) {
	set, err := e.imageCatalogs(ctx, events)
	if err != nil {
		return nil, err
	}
	var all []AvailableImage
	for _, offer := range set.All() {
		all = append(all, AvailableImage{offer.Entry, offer.Catalog, e.imageState(offer.Entry)})
	}
	return all, nil
}

// imageState says what the store has of an entry.
func (e *Engine) imageState(entry imagecat.Entry) string {
	i, err := e.images.Get(entry.Name)
	switch {
	case errors.As(err, new(*imagemgr.NotFoundError)):
		return "available"
	case err == nil && i.IsOf(entry):
		return "pulled"
	}
	return "name taken"
}

// RegisterImage makes an image of an ext4 file system.
func (e *Engine) RegisterImage(ctx context.Context, o imagemgr.RegisterOptions) (i imagemgr.Image, err error) {
	if o.KernelRef, err = e.chooseKernel(o.KernelRef); err != nil {
		return i, err
	}
	return e.images.Register(ctx, o)
}

// VerifyImage checks an image's file system against its manifest.
func (e *Engine) VerifyImage(ctx context.Context, name string) error {
	if _, err := e.images.Get(name); err != nil {
		return err
	}
	return removed("image", name, e.images.Verify(ctx, name))
}

// RenameImage gives an image that no VM uses another name.
func (e *Engine) RenameImage(from, to string) error {
	if err := e.imageUnused(from); err != nil {
		return err
	}
	return e.images.Rename(from, to)
}

// ExportImage writes an image in a format that others read.
func (e *Engine) ExportImage(ctx context.Context, o imagemgr.ExportOptions) error {
	if _, err := e.images.Get(o.Name); err != nil {
		return err
	}
	return lost("image", o.Name, e.Dirs.ImageTree().Exists, e.images.Export(ctx, o))
}

// PackImage writes an image as a catalog's bundle.
func (e *Engine) PackImage(ctx context.Context, name string, w io.Writer) (imagemgr.Packed, error) {
	return e.images.Pack(ctx, name, w)
}

// RemoveImage removes an image. If a VM uses it, the error is an *InUseError; with force it
// is removed all the same, and such VMs do not start again.
func (e *Engine) RemoveImage(name string, force bool) error {
	if !force {
		if err := e.imageUnused(name); err != nil {
			return err
		}
	}
	if err := e.images.Remove(name); err != nil {
		return err
	}
	return errors.Join(e.templates.SetOff(name, false), e.removeStaleTemplates())
}

// Pruned is what a prune removed.
type Pruned struct {
	Images []string
	Freed  int64 // bytes
}

// PruneImages removes the layers that are kept for the next pull, and with unused the
// images that no VM uses. If it fails, it also returns what it removed before.
func (e *Engine) PruneImages(unused bool) (p Pruned, err error) {
	p.Freed, err = e.images.Prune()
	if err != nil || !unused {
		return p, err
	}
	images, err := e.ListImages()
	if err != nil {
		return p, err
	}
	for _, i := range images {
		err := e.RemoveImage(i.Name, false)
		if errors.As(err, new(*InUseError)) || Gone(err) {
			continue
		}
		if err != nil {
			return p, err
		}
		p.Images, p.Freed = append(p.Images, i.Name), p.Freed+i.OnDisk
	}
	return p, nil
}
