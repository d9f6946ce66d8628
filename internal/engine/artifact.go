package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"banger/internal/artifact"
	"banger/internal/imagecat"
	"banger/internal/kernelcat"
	"banger/internal/ref"
)

// ErrKeyElsewhere says that a cosign key was given for something that is not a bundle in a
// registry.
var ErrKeyElsewhere = errors.New("a cosign key is for references that begin with " + artifact.Scheme)

// findArtifact reads into entry what a registry's bundle says of itself. Its location and
// digest come from the registry, not from there. insecure allows plain http to the registry.
func (e *Engine) findArtifact(ctx context.Context, kind artifact.Kind, source ref.Source, insecure bool, entry any, events Events) (artifact.Found, error) {
	found, err := artifact.Find(ctx, artifact.Options{
		Reference: source.String(), Kind: kind, Insecure: insecure, Say: events.notice, Warn: events.warn,
	})
	if err == nil {
		err = json.Unmarshal(found.Config, entry)
	}
	if err != nil {
		return artifact.Found{}, fmt.Errorf("%s: %w", source, err)
	}
	return found, nil
}

// pullKernelArtifact gets a kernel's bundle from a registry.
func (e *Engine) pullKernelArtifact(ctx context.Context, source ref.Source, o PullKernelOptions) (KernelPull, error) {
	var entry kernelcat.Entry
	insecure := o.Insecure || e.insecureRegistry(source)
	found, err := e.findArtifact(ctx, artifact.Kernel, source, insecure, &entry, o.Events)
	if err != nil {
		return KernelPull{}, err
	}
	entry.TarballURL, entry.TarballSHA256, entry.SizeBytes = found.Reference, found.SHA256, found.Size
	entry.Name, entry.CosignKey = cmp.Or(o.Name, entry.Name), o.CosignKey
	return e.pullKernelOffer(ctx, KernelOffer{Entry: entry, Insecure: insecure}, o)
}

// pullImageArtifact gets an image's bundle from a registry, and its kernel as a
// catalog's would.
func (e *Engine) pullImageArtifact(ctx context.Context, source ref.Source, o PullImageOptions) (ImagePull, error) {
	var entry imagecat.Entry
	insecure := o.Insecure || e.insecureRegistry(source)
	found, err := e.findArtifact(ctx, artifact.Image, source, insecure, &entry, o.Events)
	if err != nil {
		return ImagePull{}, err
	}
	entry.TarballURL, entry.TarballSHA256, entry.SizeBytes = found.Reference, found.SHA256, found.Size
	entry.CosignKey = o.CosignKey
	return e.pullImageOffer(ctx, ImageOffer{Entry: entry, Insecure: insecure}, o)
}

// PushOptions say what to put into which registry.
type PushOptions struct {
	Name      string
	Reference string // oci:// and what the registry is to call it
	Insecure  bool   // plain http is fine for the registry; so it is for the configured ones
	Events    Events
}

// NoRegistryError says that a reference names something that cannot be pushed to.
type NoRegistryError struct{ Reference string }

func (e *NoRegistryError) Error() string {
	return fmt.Sprintf("%q names no place in a registry", e.Reference)
}

// packed is a bundle that was written.
type packed struct {
	of     any // what is said of it
	sha256 string
	size   int64
}

// PushKernel pushes a kernel to a registry, as a bundle, and returns the bundle's reference
// by digest.
func (e *Engine) PushKernel(ctx context.Context, o PushOptions) (string, error) {
	if _, err := e.kernels.Get(o.Name); err != nil {
		return "", err
	}
	return e.push(ctx, artifact.Kernel, o, func(w io.Writer) (packed, error) {
		p, err := e.kernels.Pack(ctx, o.Name, w)
		return packed{p, p.SHA256, p.Size}, lost("kernel", o.Name, e.Dirs.KernelTree().Exists, err)
	})
}

// PushImage does the same for an image.
func (e *Engine) PushImage(ctx context.Context, o PushOptions) (string, error) {
	if _, err := e.images.Get(o.Name); err != nil {
		return "", err
	}
	return e.push(ctx, artifact.Image, o, func(w io.Writer) (packed, error) {
		p, err := e.images.Pack(ctx, o.Name, w)
		return packed{p, p.SHA256, p.Size}, lost("image", o.Name, e.Dirs.ImageTree().Exists, err)
	})
}

func (e *Engine) push(ctx context.Context, kind artifact.Kind, o PushOptions, pack func(io.Writer) (packed, error)) (string, error) {
	source, err := ref.ParseSource(o.Reference)
	if err != nil {
		return "", err
	}
	if source.Transport != ref.Artifact {
		return "", &NoRegistryError{o.Reference}
	}
	stage, err := e.Dirs.BuildTree().Stage()
	if err != nil {
		return "", err
	}
	defer stage.Discard()
	o.Events.stage(fmt.Sprintf("packing %s %s", kind, o.Name))
	path := stage.Path("bundle")
	p, err := writeTo(path, pack)
	if err != nil {
		return "", err
	}
	pinned, err := artifact.Push(ctx, artifact.Options{
		Reference: o.Reference, Kind: kind, Insecure: o.Insecure || e.insecureRegistry(source), Say: o.Events.notice, Warn: o.Events.warn,
	}, artifact.Bundle{Config: p.of, Path: path, Name: o.Name + ".tar.zst", SHA256: p.sha256, Size: p.size}, func(done, total int64) {
		o.Events.progress("pushing "+string(kind)+" "+o.Name, done, total)
	})
	if err != nil {
		return "", fmt.Errorf("push to %s: %w", o.Reference, err)
	}
	return pinned, nil
}

func writeTo(path string, pack func(io.Writer) (packed, error)) (packed, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return packed{}, err
	}
	defer f.Close()
	p, err := pack(f)
	if err == nil {
		err = f.Close()
	}
	return p, err
}
