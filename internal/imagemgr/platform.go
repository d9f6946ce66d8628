package imagemgr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"banger/internal/registry"
)

// referenceType is the annotation of what is no image but tells of one, such as
// an attestation.
const referenceType = "vnd.docker.reference.type"

// maxUnsaid is of how many manifests the configuration is read to learn what
// machine they are for.
const maxUnsaid = 16

// chooseImage finds the image for this machine among the manifests of an index.
// Where none is said to be for it, those count that say no platform: their
// configurations, and indexes, do.
func chooseImage(ctx context.Context, from blobs, manifests []v1.Descriptor, deeper int) (*ociImage, error) {
	said, unsaid, others := sortManifests(manifests)
	if len(said) > 0 {
		return resolveNested(ctx, from, said[0], deeper-1)
	}
	var artifact, missing error
	for _, d := range unsaid[:min(len(unsaid), maxUnsaid)] {
		i, err := resolveNested(ctx, from, d, deeper-1)
		if err != nil && len(unsaid) > 1 {
			err = fmt.Errorf("manifest %s: %w", d.Digest, err)
		}
		if other, ok := errors.AsType[*otherPlatformError](err); ok {
			others = append(others, other.platform)
			continue
		}
		if errors.As(err, new(*artifactError)) {
			artifact = cmp.Or(artifact, err)
			continue
		}
		if isMissing(err) { // as in a copy of some of its images
			missing = cmp.Or(missing, err)
			continue
		}
		return i, err
	}
	if missing != nil {
		return nil, missing
	}
	if len(others) == 0 && artifact != nil {
		return nil, artifact
	}
	if len(others) == 0 {
		return nil, errors.New("its index holds no image")
	}
	slices.Sort(others)
	return nil, &noPlatformError{otherPlatformError{strings.Join(slices.Compact(others), ", ")}}
}

// isMissing reports whether what an index names is not there.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.As(err, new(*registry.MissingError))
}

// artifactError says that a manifest is of something else than a container's image,
// such as a signature or a chart.
type artifactError struct{ what string }

func (e *artifactError) Error() string { return e.what }

// noPlatformError is otherPlatformError of an index.
type noPlatformError struct{ other otherPlatformError }

func (e *noPlatformError) Error() string {
	return fmt.Sprintf("it has no image for %s (it has %s)", platform(), e.other.platform)
}

// Unwrap makes an index one that is for other machines, too.
func (e *noPlatformError) Unwrap() error { return &e.other }

// sortManifests divides an index into what is said to be for this machine, the
// best first, what says no platform, and the platforms of the others.
func sortManifests(manifests []v1.Descriptor) (said, unsaid []v1.Descriptor, others []string) {
	want := platform()
	for _, m := range manifests {
		p := m.Platform
		switch {
		case m.Annotations[referenceType] != "" || !mayBeConfig(types.MediaType(m.ArtifactType)) || p != nil && p.OS == "unknown":
		case p == nil || p.OS == "" && p.Architecture == "":
			unsaid = append(unsaid, m)
		case !strings.EqualFold(p.OS, want.OS) || !isArch(p.Architecture, want.Architecture) || variant(p) > runs():
			others = append(others, p.String())
		default:
			said = append(said, m)
		}
	}
	slices.SortStableFunc(said, func(a, b v1.Descriptor) int { return rank(a.Platform) - rank(b.Platform) })
	return said, unsaid, others
}

// rank orders what one machine runs. What needs more than an operating system, such
// as layers that some snapshotter fetches piece by piece, is for those who have it.
func rank(p *v1.Platform) int {
	if len(p.OSFeatures) > 0 {
		return variant(p) + 100
	}
	return variant(p)
}

// isArch reports whether an architecture is the wanted one, in Go's words or in
// uname's, as containerd takes them.
func isArch(arch, want string) bool {
	switch arch = strings.ToLower(arch); arch {
	case "x86_64", "x86-64":
		arch = "amd64"
	case "aarch64":
		arch = "arm64"
	}
	return arch == want
}

// variant is a rank among what one architecture can be: 0 is plain, and of
// amd64 v1 is plain, too. Of others nothing is known but that plain is first.
func variant(p *v1.Platform) int {
	switch v := strings.ToLower(p.Variant); {
	case v == "":
		return 0
	case len(v) == 2 && v[0] == 'v' && v[1] >= '1' && v[1] <= '9':
		return int(v[1] - '0')
	}
	return 1
}
