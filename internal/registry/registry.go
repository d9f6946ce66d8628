// Package registry speaks to OCI registries, as the OCI distribution
// specification describes them.
//
// It has the credentials that docker or podman has, sends them to nobody but
// the registry, and goes over plain http only to loopback addresses and where
// its caller says so. What it gives is bounded, and is what its digest says
// where it was asked for by one. It keeps nothing on disk and knows of no
// format that is in a registry.
package registry

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"banger/internal/digest"
)

// maxManifest is how many bytes a manifest may have.
const maxManifest = 4 << 20

// Options say what to open, and how.
type Options struct {
	Reference string // registry/repository, with a tag or a digest; docker's defaults hold
	Insecure  bool   // plain http is fine for the registry
	Push      bool   // write too
	Say       func(string)
	Warn      func(error)                                // hears of what goes wrong and ends nothing; may be nil
	Sleep     func(context.Context, time.Duration) error // nil is by the clock
}

// Repository is one in a registry.
type Repository struct {
	Name      name.Repository
	Transport http.RoundTripper // logged in, and by the policy of this package

	patient http.RoundTripper // that, once more where the registry has no answer yet
}

// Open logs in to the repository of a reference, and returns it and the
// reference.
func Open(ctx context.Context, o Options) (*Repository, name.Reference, error) {
	var options []name.Option
	if o.Insecure {
		options = append(options, name.Insecure)
	}
	ref, err := name.ParseReference(o.Reference, options...)
	if err != nil {
		return nil, nil, fmt.Errorf("it is no reference to an image in a registry: %w", err)
	}
	repo := ref.Context()
	auth, err := credentials(ctx, repo, o.Warn)
	if err != nil {
		return nil, nil, err
	}
	scope := transport.PullScope
	if o.Push {
		scope = transport.PushScope
	}
	p, err := newPolicy(repo, o)
	if err != nil {
		return nil, nil, err
	}
	carrier := transport.NewRetry(p)
	l := &login{
		repo: repo, scope: repo.Scope(scope), push: o.Push, auth: auth, warn: o.Warn,
		next: carrier, tokens: patient{carrier, p.sleep, p.say}, answer: map[string]string{},
	}
	if err := l.ping(ctx); err != nil {
		return nil, nil, Explain(repo, err)
	}
	// The library that pushes takes such a one for logged in.
	known, err := transport.FromToken(repo.Registry, authn.Anonymous, l, &transport.Challenge{}, nil)
	if err != nil {
		return nil, nil, err
	}
	return &Repository{Name: repo, Transport: known, patient: patient{l, p.sleep, p.say}}, ref, nil
}

// URL is where the repository has something, such as "blobs/sha256:...".
func (r *Repository) URL(path string) string {
	return fmt.Sprintf("%s://%s/v2/%s/%s", r.Name.Scheme(), r.Name.RegistryStr(), r.Name.RepositoryStr(), path)
}

// Get asks the repository for something. The answer is a success; the error is
// a *MissingError where there is no such thing.
func (r *Repository) Get(ctx context.Context, path string, header http.Header) (*http.Response, error) {
	return r.get(ctx, r.URL(path), header, &MissingError{Title(r.Name), r.Name.RepositoryStr(), path})
}

// GetElsewhere asks another place for something that the repository says is there.
// It may lead no further than a redirect of the registry.
func (r *Repository) GetElsewhere(ctx context.Context, place string, header http.Header) (*http.Response, error) {
	return r.get(ctx, place, header, &MissingError{Path: place})
}

func (r *Repository) get(ctx context.Context, place string, header http.Header, missing *MissingError) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, err
	}
	req.Header = header
	resp, err := (&http.Client{Transport: r.patient}).Do(req)
	if err != nil {
		return nil, Explain(r.Name, err)
	}
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusPartialContent {
		return resp, nil
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return nil, missing
	}
	return nil, statusFault(r.Name, resp.StatusCode)
}

// Manifest gets a manifest by its tag or digest, and what type the registry
// says it is of. accept lists the types that are asked for. The error is a
// *digest.Error where it is not what the digest promises.
func (r *Repository) Manifest(ctx context.Context, id, accept string) (raw []byte, kind string, err error) {
	resp, err := r.Get(ctx, "manifests/"+id, http.Header{"Accept": {accept}})
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := Decoded(resp)
	if err == nil {
		raw, err = r.read(body, "the manifest "+id, maxManifest)
	}
	if err != nil {
		return nil, "", err
	}
	if strings.Contains(id, ":") { // and is no tag
		err = digest.Check(raw, id)
	}
	return raw, resp.Header.Get("Content-Type"), err
}

// Blob reads a blob of at most limit bytes, which is what its digest promises.
func (r *Repository) Blob(ctx context.Context, sum string, limit int64) ([]byte, error) {
	resp, err := r.Get(ctx, "blobs/"+sum, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := r.read(resp.Body, "the blob "+sum, limit)
	if err != nil {
		return nil, err
	}
	return data, digest.Check(data, sum)
}

func (r *Repository) read(body io.Reader, what string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, Explain(r.Name, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s has more than %d MiB", what, limit>>20)
	}
	return data, nil
}
