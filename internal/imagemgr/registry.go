package imagemgr

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"banger/internal/registry"
	"banger/internal/statedir"
)

// maxManifests is how many manifests are read of one image.
const maxManifests = 32

// repository is one in an OCI registry, whose blobs are kept.
type repository struct {
	*registry.Repository
	cache   statedir.Tree
	backoff time.Duration // before the first retry
	meter   *meter
	known   map[v1.Hash][]byte // manifests
}

// openRegistry finds an image in a registry, with the credentials that docker
// or podman has for it. The image's layers are fetched when they are opened.
func (s *Store) openRegistry(ctx context.Context, o PullOptions) (*ociImage, error) {
	at := registry.Options{Reference: o.Source.Rest, Insecure: o.Insecure, Warn: o.Warn, Sleep: s.sleep}
	if o.Progress != nil {
		at.Say = func(text string) { o.Progress(text, 0, 0) }
	}
	repo, r, err := registry.Open(ctx, at)
	if err != nil {
		return nil, err
	}
	from := &repository{Repository: repo, cache: s.blobs, backoff: s.backoff, meter: &meter{}, known: map[v1.Hash][]byte{}}
	d, err := from.manifest(ctx, r.Identifier(), "")
	if err != nil {
		return nil, err
	}
	i, err := resolveImage(ctx, from, d)
	if err != nil {
		return nil, err
	}
	var total int64
	for _, l := range i.layers {
		if _, sum, _ := strings.Cut(l.name, ":"); !from.cache.Exists(sum) {
			total += l.size
		}
	}
	from.meter, i.fetched = newMeter(o.Progress, "fetch", total), true
	return i, nil
}

// manifest gets a manifest by its tag or digest.
func (r *repository) manifest(ctx context.Context, id string, kind types.MediaType) (v1.Descriptor, error) {
	if len(r.known) >= maxManifests {
		return v1.Descriptor{}, fmt.Errorf("it leads to more than %d manifests", maxManifests)
	}
	raw, contentType, err := r.Manifest(ctx, id, accepted(kind))
	if err != nil {
		return v1.Descriptor{}, err
	}
	d := v1.Descriptor{Digest: hashOf(raw), MediaType: types.MediaType(contentType)}
	if want, err := v1.NewHash(id); err == nil { // and no tag
		d.Digest = want
	}
	r.known[d.Digest] = raw
	return d, nil
}

// accepted lists the types of manifests that are asked for.
func accepted(kind types.MediaType) string {
	if kind != "" {
		return string(kind)
	}
	return strings.Join([]string{
		string(types.OCIImageIndex), string(types.OCIManifestSchema1),
		string(types.DockerManifestList), string(types.DockerManifestSchema2),
	}, ", ")
}

// read returns a manifest.
func (r *repository) read(ctx context.Context, d v1.Descriptor) ([]byte, error) {
	if _, ok := r.known[d.Digest]; !ok {
		if _, err := r.manifest(ctx, d.Digest.String(), d.MediaType); err != nil {
			return nil, err
		}
	}
	return r.known[d.Digest], nil
}

// hashOf is the digest of data.
func hashOf(data []byte) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: fmt.Sprintf("%x", sha256.Sum256(data))}
}
