package imagemgr

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"banger/internal/catalog"
	"banger/internal/digest"
	"banger/internal/fetch"
	"banger/internal/format/bundle"
	"banger/internal/imagecat"
	"banger/internal/statedir"
)

// CatalogOptions say what to pull from a catalog.
type CatalogOptions struct {
	Entry    imagecat.Entry
	Name     string // "" is the entry's
	Replace  bool   // whatever has that name gives way
	Fetch    fetch.Options
	Progress Progress
}

// PullCatalog gets the image of a catalog's entry: exactly the bytes that the
// entry promises, or none. present tells that it was there already, which
// needs no network. The error is statedir.ErrExist where the name is another
// image's.
func (s *Store) PullCatalog(ctx context.Context, o CatalogOptions) (i Image, present bool, err error) {
	if o.Name == "" {
		o.Name = o.Entry.Name
	}
	if err := o.Entry.Check(o.Fetch.Insecure); err != nil {
		return Image{}, false, err
	}
	if o.Entry.Arch != arch() {
		return Image{}, false, fmt.Errorf("image %q is for %s: this machine is %s", o.Entry.Name, o.Entry.Arch, arch())
	}
	if i, err := s.Get(o.Name); err == nil && i.IsOf(o.Entry) && !o.Replace {
		return i, true, nil
	}
	if err := s.checkFree(o.Name, o.Replace); err != nil {
		return Image{}, false, err
	}
	if i, err = s.pullCatalog(ctx, o); err != nil {
		return Image{}, false, fmt.Errorf("pull image %q: %w", o.Entry.Name, err)
	}
	return i, false, nil
}

// IsOf reports whether the image was made of the entry's bundle.
func (i Image) IsOf(e imagecat.Entry) bool { return i.SourceDigest == bundleDigest(e) }

// bundleDigest is how a manifest names an entry's bundle.
func bundleDigest(e imagecat.Entry) string { return "sha256:" + e.TarballSHA256 }

func (s *Store) pullCatalog(ctx context.Context, o CatalogOptions) (Image, error) {
	stage, err := s.tree.Stage()
	if err != nil {
		return Image{}, err
	}
	defer stage.Discard()
	files, err := download(ctx, stage, o)
	if err != nil {
		return Image{}, err
	}
	i, err := bundledImage(stage, files)
	if err != nil {
		return Image{}, fmt.Errorf("the bundle: %w", err)
	}
	e := o.Entry
	i.Name, i.Distro, i.KernelRef = o.Name, e.Distro, e.KernelRef
	i.Source, i.SourceDigest = e.TarballURL, bundleDigest(e)
	return s.publish(stage, o.Replace, i)
}

// download unpacks the bundle while it comes, and checks that it was the one
// that the entry promises.
func download(ctx context.Context, stage *statedir.Stage, o CatalogOptions) ([]bundle.File, error) {
	var progress func(done, total int64)
	if o.Progress != nil {
		progress = func(done, total int64) { o.Progress("pulling image "+o.Entry.Name, done, total) }
	}
	return catalog.Unpack(ctx, stage.Dir, o.Entry.Bundle(), bundled, o.Fetch, progress)
}

// bundledImage reads the manifest that came with a bundle, and checks that it
// is of the file system beside it, which has to be whole.
func bundledImage(stage *statedir.Stage, files []bundle.File) (Image, error) {
	var i Image
	err := statedir.ReadJSON(stage.Path(statedir.Manifest), &i)
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("it holds no " + statedir.Manifest)
	}
	if err != nil {
		return Image{}, err
	}
	for _, f := range files {
		if f.Path != statedir.Rootfs {
			continue
		}
		if got := "sha256:" + f.SHA256; got != i.Digest || f.Size != i.Size {
			return Image{}, &digest.Error{Want: i.Digest, Got: got}
		}
		file, err := os.Open(stage.Path(statedir.Rootfs))
		if err != nil {
			return Image{}, err
		}
		defer file.Close()
		return i, checkFileSystem(file, f.Size)
	}
	return Image{}, errors.New("it holds no " + statedir.Rootfs)
}
