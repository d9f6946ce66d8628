package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"banger/internal/registry"
)

// title is the annotation by which ORAS names the files that it makes of layers.
const title = "org.opencontainers.image.title"

// Bundle is what is pushed.
type Bundle struct {
	Config any    // what it says of itself, as JSON
	Path   string // the file
	Name   string // of that file, for those who get it with other tools
	SHA256 string // of the file
	Size   int64  // of the file, in bytes
}

// Push writes a bundle to a registry, and returns the reference to it by its
// digest. What the registry has already is not sent again. progress hears how
// many bytes are there; it may be nil.
func Push(ctx context.Context, o Options, b Bundle, progress func(done, total int64)) (string, error) {
	repo, ref, err := registry.Open(ctx, registry.Options{
		Reference: strings.TrimPrefix(o.Reference, Scheme), Insecure: o.Insecure, Push: true, Say: o.Say, Warn: o.Warn,
	})
	if err != nil {
		return "", err
	}
	p, err := newPushed(o.Kind, b)
	if err != nil {
		return "", err
	}
	image, err := partial.CompressedToImage(p)
	if err != nil {
		return "", err
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithTransport(repo.Transport)}
	if progress != nil {
		updates, heard := make(chan v1.Update), make(chan struct{})
		go func() {
			defer close(heard)
			for u := range updates {
				progress(u.Complete, u.Total)
			}
		}()
		defer func() { <-heard }() // Write closes the channel
		options = append(options, remote.WithProgress(updates))
	}
	if err := remote.Write(ref, image, options...); err != nil {
		return "", registry.Explain(repo.Name, err)
	}
	return Scheme + repo.Name.Digest(digestOf(p.manifest)).String(), nil
}

func digestOf(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

// pushed is an artifact to be written, a partial.CompressedImageCore.
type pushed struct {
	bundle           Bundle
	kind             Kind
	config, manifest []byte
}

func newPushed(kind Kind, b Bundle) (*pushed, error) {
	config, err := json.Marshal(b.Config)
	if err != nil {
		return nil, err
	}
	sum, err := v1.NewHash(digestOf(config))
	if err != nil {
		return nil, err
	}
	manifest, err := json.Marshal(v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: kind.artifactType(),
		Config: v1.Descriptor{MediaType: kind.configType(), Size: int64(len(config)), Digest: sum},
		Layers: []v1.Descriptor{{
			MediaType: kind.bundleType(), Size: b.Size, Digest: v1.Hash{Algorithm: "sha256", Hex: b.SHA256},
			Annotations: map[string]string{title: b.Name},
		}},
	})
	return &pushed{bundle: b, kind: kind, config: config, manifest: manifest}, err
}

func (p *pushed) RawConfigFile() ([]byte, error)      { return p.config, nil }
func (p *pushed) RawManifest() ([]byte, error)        { return p.manifest, nil }
func (p *pushed) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

func (p *pushed) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	if h.Hex != p.bundle.SHA256 {
		return nil, fmt.Errorf("there is no layer %s", h)
	}
	return layer{p}, nil
}

// layer is the bundle of what is pushed.
type layer struct{ of *pushed }

func (l layer) Digest() (v1.Hash, error) {
	return v1.Hash{Algorithm: "sha256", Hex: l.of.bundle.SHA256}, nil
}
func (l layer) Compressed() (io.ReadCloser, error)  { return os.Open(l.of.bundle.Path) }
func (l layer) Size() (int64, error)                { return l.of.bundle.Size, nil }
func (l layer) MediaType() (types.MediaType, error) { return l.of.kind.bundleType(), nil }
