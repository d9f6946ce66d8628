package imagemgr

import (
	"context"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"banger/internal/digest"
)

// directoryBlobs are the blobs of an image beside its manifest, in a directory, as
// skopeo and podman write them: by their digests without the algorithm.
type directoryBlobs struct{ dirParts }

// openDirectory finds the image in such a directory.
func openDirectory(ctx context.Context, dir string) (*ociImage, error) {
	from := directoryBlobs{dirParts(dir)}
	raw, err := readPart(from.dirParts, "manifest.json")
	if err != nil && has(from.dirParts, "index.json") {
		return nil, errors.New("it is an OCI layout: pull it as oci:DIR")
	}
	if err != nil {
		return nil, fmt.Errorf("skopeo did not write it: %w", err)
	}
	kind, err := kindOf(raw)
	if err != nil {
		return nil, err
	}
	if kind == imageManifest {
		return readImage(ctx, from, raw, hashOf(raw))
	}
	index, err := parseIndex(raw)
	if err != nil {
		return nil, err
	}
	return chooseImage(ctx, from, index.Manifests, maxNested)
}

func (d directoryBlobs) open(ctx context.Context, of v1.Descriptor) (part, error) {
	p, err := d.dirParts.open(of.Digest.Hex)
	if err != nil {
		return part{}, fmt.Errorf("blob %s: %w", of.Digest, plain(err))
	}
	if err := check(ctx, p, of.Digest); err != nil {
		p.Close()
		return part{}, err
	}
	return p, nil
}

// read returns a manifest of several.
func (d directoryBlobs) read(_ context.Context, of v1.Descriptor) ([]byte, error) {
	raw, err := readPart(d.dirParts, of.Digest.Hex+".manifest.json")
	if err != nil {
		return nil, fmt.Errorf("manifest %s: %w", of.Digest, err)
	}
	return raw, digest.Check(raw, of.Digest.String())
}
