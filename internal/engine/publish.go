package engine

import (
	"errors"
	"fmt"

	"banger/internal/catalog"
	"banger/internal/imagecat"
	"banger/internal/kernelcat"
	"banger/internal/smallfile"
	"banger/internal/statedir"
)

// CatalogPatch is a change of a catalog's file, by those who publish it.
type CatalogPatch struct {
	Kind, File string // "kernel" or "image", and where the catalog is
	Remove     bool   // the entry goes
	Describe   bool   // Description is given; else the entry keeps the one that it has

	kernelcat.Entry        // a kernel's, and what an image's has of it
	KernelRef       string // an image's
}

// maxCatalog is more than a catalog has, in bytes.
const maxCatalog = 64 << 20

// PatchCatalog adds an entry to a catalog, changes one, or removes one, in one
// step.
func PatchCatalog(p CatalogPatch) error {
	data, err := smallfile.Read(p.File, maxCatalog)
	if err != nil {
		return err
	}
	switch p.Kind {
	case "kernel":
		data, err = patched(data, p, p.Entry, func(e *kernelcat.Entry) *string { return &e.Description })
	case "image":
		data, err = patched(data, p, p.imageEntry(), func(e *imagecat.Entry) *string { return &e.Description })
	default:
		return fmt.Errorf("there are no catalogs of %q", p.Kind)
	}
	if err != nil {
		return fmt.Errorf("patch %s: %w", p.File, err)
	}
	return statedir.WriteFile(p.File, data)
}

func (p CatalogPatch) imageEntry() imagecat.Entry {
	return imagecat.Entry{
		Name: p.Name, Distro: p.Distro, Arch: p.Arch, KernelRef: p.KernelRef, TarballURL: p.TarballURL,
		TarballSHA256: p.TarballSHA256, SizeBytes: p.SizeBytes, Description: p.Description,
	}
}

func patched[E catalog.Item](data []byte, p CatalogPatch, e E, description func(*E) *string) ([]byte, error) {
	name, arch := e.Identity()
	if p.Remove {
		return catalog.Remove[E](data, name, arch)
	}
	if !p.Describe {
		c, err := catalog.Parse[E](data, false)
		if err != nil {
			return nil, err
		}
		before, err := c.Find(name, arch)
		if err != nil && !errors.As(err, new(*catalog.NotFoundError)) {
			return nil, err
		}
		*description(&e) = *description(&before)
	}
	return catalog.Patch(data, e)
}
