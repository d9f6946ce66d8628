// Package artifact has bundles of kernels and images in OCI registries, as
// artifacts of the OCI image specification, which ORAS and other tools list and
// copy too.
//
// An artifact is a manifest whose configuration says what the bundle is of, and
// whose one layer is the bundle, as it would be on a file server. What is found
// is what its digests say and, where a key is given, what that key has signed;
// what the configuration says is its author's word alone, for the caller to check.
package artifact

import (
	"context"
	"crypto"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"banger/internal/digest"
	"banger/internal/registry"
)

// Scheme is what references to artifacts begin with.
const Scheme = "oci://"

// maxConfig is how many bytes a configuration may have.
const maxConfig = 1 << 20

// Kind is what a bundle is of.
type Kind string

// The kinds.
const (
	Kernel Kind = "kernel"
	Image  Kind = "image"
)

// The media types of an artifact, of its configuration and of its bundle.
func (k Kind) artifactType() string        { return "application/vnd.banger." + string(k) + ".v1" }
func (k Kind) configType() types.MediaType { return k.mediaType(".config.v1+json") }
func (k Kind) bundleType() types.MediaType { return k.mediaType(".bundle.v1.tar+zstd") }

func (k Kind) mediaType(rest string) types.MediaType {
	return types.MediaType("application/vnd.banger." + string(k) + rest)
}

// Options say where an artifact is, and how to reach it.
type Options struct {
	Reference string           // with Scheme
	Kind      Kind             // "" is any
	Insecure  bool             // plain http is fine for the registry
	Key       crypto.PublicKey // that has to have signed it, or nil
	Say       func(string)     // told of what is waited for, or nil
	Warn      func(error)      // told what goes wrong and ends nothing, or nil
}

// Found is an artifact in a registry.
type Found struct {
	Reference string // by its digest, with Scheme
	Config    []byte // what it says of itself, in JSON
	SHA256    string // of the bundle, 64 lower-case hex digits
	Size      int64  // of the bundle, in bytes
	URL       string // of the bundle
	Transport http.RoundTripper
}

// Find reads an artifact's manifest. The error is a *SignatureError where a key
// is asked for that has not signed it.
func Find(ctx context.Context, o Options) (Found, error) {
	repo, ref, err := registry.Open(ctx, registry.Options{
		Reference: strings.TrimPrefix(o.Reference, Scheme), Insecure: o.Insecure, Say: o.Say, Warn: o.Warn,
	})
	if err != nil {
		return Found{}, err
	}
	raw, _, err := repo.Manifest(ctx, ref.Identifier(), string(types.OCIManifestSchema1))
	if err != nil {
		return Found{}, err
	}
	sum := digestOf(raw)
	m, err := parse(raw, o.Kind)
	if err != nil {
		return Found{}, err
	}
	if o.Key != nil {
		if err := checkSigned(ctx, repo, sum, o.Key); err != nil {
			return Found{}, err
		}
	}
	config, err := configOf(ctx, repo, m)
	if err != nil {
		return Found{}, err
	}
	bundle := m.Layers[0]
	return Found{
		Reference: Scheme + repo.Name.Digest(sum).String(), Config: config,
		SHA256: bundle.Digest.Hex, Size: bundle.Size,
		URL: repo.URL("blobs/" + bundle.Digest.String()), Transport: repo.Transport,
	}, nil
}

// parse reads the manifest of an artifact.
func parse(raw []byte, kind Kind) (m v1.Manifest, err error) {
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, fmt.Errorf("read the manifest: %w", err)
	}
	for _, k := range []Kind{Kernel, Image} {
		switch {
		case m.Config.MediaType != k.configType():
			continue
		case kind != "" && kind != k:
			return m, fmt.Errorf("it is a bundle of a banger %s, and no %s", k, kind)
		case len(m.Layers) != 1 || m.Layers[0].MediaType != k.bundleType():
			return m, fmt.Errorf("its manifest does not lead to one bundle of a banger %s", k)
		case m.Layers[0].Digest.Algorithm != "sha256":
			return m, fmt.Errorf("its bundle is named by %s: only sha256 is known", m.Layers[0].Digest.Algorithm)
		}
		return m, nil
	}
	return m, &OtherError{MediaType: string(m.Config.MediaType)}
}

// OtherError says that there is something else than a bundle of banger's.
type OtherError struct{ MediaType string }

func (e *OtherError) Error() string {
	return fmt.Sprintf("it is no bundle of banger's: its configuration is of type %q", e.MediaType)
}

func configOf(ctx context.Context, repo *registry.Repository, m v1.Manifest) ([]byte, error) {
	if data := m.Config.Data; len(data) > 0 {
		return data, digest.Check(data, m.Config.Digest.String())
	}
	return repo.Blob(ctx, m.Config.Digest.String(), maxConfig)
}

// CheckPinned reports whether text refers to an artifact by a digest.
func CheckPinned(text string) error {
	rest, is := strings.CutPrefix(text, Scheme)
	if !is {
		return fmt.Errorf("%q does not begin with %s", text, Scheme)
	}
	if _, err := name.NewDigest(rest, name.StrictValidation); err != nil {
		return fmt.Errorf("%q is no reference by digest to an artifact in a registry", text)
	}
	return nil
}
