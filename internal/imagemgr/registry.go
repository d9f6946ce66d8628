package imagemgr

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"banger/internal/fetch"
	"banger/internal/statedir"
)

// maxManifests is how many manifests are read of one image.
const maxManifests = 32

// repository is one in an OCI registry, as the OCI distribution
// specification describes it.
type repository struct {
	repo    name.Repository
	client  *http.Client
	cache   statedir.Tree
	backoff time.Duration // before the first retry
	meter   *meter
	known   map[v1.Hash][]byte // manifests
}

// openRegistry finds an image in a registry, with the credentials that docker
// or podman has for it. The image's layers are fetched when they are opened.
func (s *Store) openRegistry(ctx context.Context, o PullOptions) (*ociImage, error) {
	var options []name.Option
	if o.Insecure {
		options = append(options, name.Insecure)
	}
	r, err := name.ParseReference(o.Source.Rest, options...)
	if err != nil {
		return nil, fmt.Errorf("it is no reference to an image in a registry: %w", err)
	}
	repo := r.Context()
	from := &repository{repo: repo, cache: s.blobs, backoff: s.backoff, meter: &meter{}, known: map[v1.Hash][]byte{}}
	auth, err := credentials(ctx, repo, o.Warn)
	if err != nil {
		return nil, err
	}
	authed, err := transport.NewWithContext(ctx, repo.Registry, auth,
		transport.NewRetry(s.registryPolicy(repo, o)), []string{repo.Scope(transport.PullScope)})
	if err != nil {
		return nil, explain(repo, err)
	}
	from.client = &http.Client{Transport: authed}
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

func (s *Store) registryPolicy(repo name.Repository, o PullOptions) *policy {
	carrier := fetch.NewTransport()
	if o.Progress != nil {
		carrier.Say = func(text string) { o.Progress(text, 0, 0) }
	}
	return &policy{repo: repo, insecure: o.Insecure, next: carrier, sleep: s.sleep, say: carrier.Say}
}

// manifest gets a manifest by its tag or digest.
func (r *repository) manifest(ctx context.Context, id string, kind types.MediaType) (v1.Descriptor, error) {
	resp, err := r.get(ctx, "manifests/"+id, http.Header{"Accept": {accepted(kind)}})
	if err != nil {
		return v1.Descriptor{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxJSON+1))
	if err != nil {
		return v1.Descriptor{}, explain(r.repo, err)
	}
	if len(raw) > maxJSON {
		return v1.Descriptor{}, fmt.Errorf("the manifest %s has more than %d MiB", id, maxJSON>>20)
	}
	if len(r.known) >= maxManifests {
		return v1.Descriptor{}, fmt.Errorf("it leads to more than %d manifests", maxManifests)
	}
	d := v1.Descriptor{Digest: hashOf(raw), MediaType: types.MediaType(resp.Header.Get("Content-Type"))}
	if want, err := v1.NewHash(id); err == nil { // and no tag
		sum, err := newHashed(want)
		if err != nil {
			return v1.Descriptor{}, err
		}
		sum.Write(raw)
		if err := sum.verify(); err != nil {
			return v1.Descriptor{}, err
		}
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

// get asks the repository for something. The answer is a success.
func (r *repository) get(ctx context.Context, path string, header http.Header) (*http.Response, error) {
	url := fmt.Sprintf("%s://%s/v2/%s/%s", r.repo.Scheme(), r.repo.RegistryStr(), r.repo.RepositoryStr(), path)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header = header
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, explain(r.repo, err)
	}
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusPartialContent {
		return resp, nil
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return nil, &missingError{registryName(r.repo), r.repo.RepositoryStr(), path}
	}
	return nil, statusFault(r.repo, resp.StatusCode)
}

// hashOf is the digest of data.
func hashOf(data []byte) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: fmt.Sprintf("%x", sha256.Sum256(data))}
}
