package imagemgr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// blobs is where the parts of an image are found by digest. What read and open
// return has been checked.
type blobs interface {
	read(ctx context.Context, d v1.Descriptor) ([]byte, error)
	open(ctx context.Context, d v1.Descriptor) (part, error)
}

// ociImage is an image for this machine, its layers unread.
type ociImage struct {
	digest string
	config *imageConfig
	layers []*layer

	from    io.Closer // what the layers are read from, or nil
	fetched bool      // they are fetched when they are opened
}

// platform is the one that images must be for.
func platform() v1.Platform { return v1.Platform{OS: "linux", Architecture: runtime.GOARCH} }

// maxNested is how deep indexes lie in each other: one in an index is rare, more
// of them a mistake.
const maxNested = 4

// resolveImage follows a descriptor, through indexes, to the image for this
// machine.
func resolveImage(ctx context.Context, from blobs, d v1.Descriptor) (*ociImage, error) {
	return resolveNested(ctx, from, d, maxNested)
}

func resolveNested(ctx context.Context, from blobs, d v1.Descriptor, deeper int) (*ociImage, error) {
	if deeper == 0 {
		return nil, errors.New("its indexes are nested too deep")
	}
	raw, err := from.read(ctx, d)
	if err != nil {
		return nil, err
	}
	kind, err := kindOf(raw)
	switch {
	case err != nil:
		return nil, err
	case kind == imageManifest:
		return readImage(ctx, from, raw, d.Digest)
	}
	index, err := parseIndex(raw)
	if err != nil {
		return nil, err
	}
	return chooseImage(ctx, from, index.Manifests, deeper)
}

func parseIndex(raw []byte) (*v1.IndexManifest, error) {
	index, err := v1.ParseIndexManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	return index, nil
}

// readImage reads a manifest and the configuration that it names.
func readImage(ctx context.Context, from blobs, raw []byte, digest v1.Hash) (*ociImage, error) {
	m, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	if !mayBeConfig(m.Config.MediaType) {
		return nil, &artifactError{fmt.Sprintf("it is no container image: its configuration is of type %q", m.Config.MediaType)}
	}
	data, err := readBlob(ctx, from, m.Config)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	config, err := readConfig(data, len(m.Layers))
	if err != nil {
		return nil, err
	}
	i := &ociImage{digest: digest.String(), config: config}
	for n, d := range m.Layers {
		if !mayBeLayer(d.MediaType) {
			return nil, fmt.Errorf("layer %s is of type %q, which is no file system layer", d.Digest, d.MediaType)
		}
		i.layers = append(i.layers, &layer{
			name: d.Digest.String(), size: d.Size, diffID: config.RootFS.DiffIDs[n],
			open: func(ctx context.Context) (part, error) { return from.open(ctx, d) },
		})
	}
	return i, nil
}

// readBlob returns a configuration, which is a blob as layers are.
func readBlob(ctx context.Context, from blobs, d v1.Descriptor) ([]byte, error) {
	if d.Size > maxJSON {
		return nil, fmt.Errorf("%d bytes are too many", d.Size)
	}
	p, err := from.open(ctx, d)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	if p.Size() > maxJSON {
		return nil, fmt.Errorf("%d bytes are too many", p.Size())
	}
	return io.ReadAll(p)
}

// otherPlatformError says that an image is for another machine.
type otherPlatformError struct{ platform string }

func (e *otherPlatformError) Error() string {
	return fmt.Sprintf("it is for %s: this machine needs %s", e.platform, platform())
}
