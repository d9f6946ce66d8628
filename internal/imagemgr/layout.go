package imagemgr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"banger/internal/digest"
)

// refName is the annotation that names an image in an OCI layout.
const refName = "org.opencontainers.image.ref.name"

// layoutBlobs are the blobs of an OCI image layout, in a directory or a tar.
type layoutBlobs struct{ parts }

// splitTag takes the tag off PATH[:TAG], or an image's digest or place off
// PATH[:]@IMAGE: the path is the longest that there is.
func splitTag(text string) (path, tag string) {
	if rest, isInput := strings.CutPrefix(text, "-"); isInput && (rest == "" || rest[0] == ':' || rest[0] == '@') {
		return "-", strings.TrimPrefix(rest, ":")
	}
	for at := len(text); at > 0; at = strings.LastIndexAny(text[:at], ":@") {
		if _, err := os.Stat(text[:at]); err == nil {
			return text[:at], strings.TrimPrefix(text[at:], ":")
		}
	}
	return text, ""
}

// openLayout finds the image with the given tag in a layout. Without one there
// has to be one image only for this machine.
func openLayout(ctx context.Context, files parts, tag string) (*ociImage, error) {
	raw, err := readPart(files, "index.json")
	if err != nil && has(files, "manifest.json") {
		return nil, errors.New("it is no OCI layout, but has a manifest.json: pull an archive like that as docker-archive:FILE, a directory as dir:DIR")
	}
	if err != nil {
		return nil, fmt.Errorf("it is no OCI layout: %w", err)
	}
	index, err := v1.ParseIndexManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("read index.json: %w", err)
	}
	if sum, err := v1.NewHash(strings.TrimPrefix(tag, "@")); err == nil && tag[0] == '@' {
		return resolveImage(ctx, layoutBlobs{files}, v1.Descriptor{Digest: sum})
	}
	found, err := pick(index.Manifests, tag)
	if err != nil {
		return nil, err
	}
	if len(found) == 1 {
		return resolveImage(ctx, layoutBlobs{files}, found[0])
	}
	if tag == "" && severalFit(ctx, layoutBlobs{files}, found) {
		return nil, fmt.Errorf("it holds several images for %s: name one by its place, @0 to @%d", platform(), len(index.Manifests)-1)
	}
	return chooseImage(ctx, layoutBlobs{files}, found, maxNested)
}

// severalFit reports whether more than one of the images is for this machine, and
// none of them more than others.
func severalFit(ctx context.Context, from blobs, found []v1.Descriptor) bool {
	said, unsaid, _ := sortManifests(found)
	if len(said) > 0 {
		return len(said) > 1 && rank(said[0].Platform) == rank(said[1].Platform)
	}
	fit := 0
	for _, d := range unsaid[:min(len(unsaid), maxUnsaid)] {
		if _, err := resolveImage(ctx, from, d); err == nil {
			fit++
		}
	}
	return fit > 1
}

// pick chooses among the images of a layout: those with a tag, @N for the one at
// a place, or all where they are one image's. One under two tags is one image.
func pick(manifests []v1.Descriptor, tag string) ([]v1.Descriptor, error) {
	if place, ok := strings.CutPrefix(tag, "@"); ok {
		n, err := placeOf(place, len(manifests))
		if err != nil {
			return nil, err
		}
		return manifests[n : n+1], nil
	}
	var tags []string
	var left []v1.Descriptor
	for _, m := range manifests {
		names := namesOf(m)
		tags = append(tags, names...)
		seen := slices.ContainsFunc(left, func(other v1.Descriptor) bool { return other.Digest == m.Digest })
		if (tag == "" || slices.ContainsFunc(names, func(name string) bool { return sameTag(name, tag) })) && m.Annotations[referenceType] == "" && !seen {
			left = append(left, m)
		}
	}
	slices.Sort(tags)
	tags = slices.Compact(tags)
	switch {
	case len(left) == 0 && tag != "":
		return nil, fmt.Errorf("it has no image with the tag %q (it has %s)", tag, strings.Join(tags, ", "))
	case len(left) == 0:
		return nil, errors.New("it holds no image")
	case len(left) > 1 && len(tags) > 1 && tag == "":
		return nil, fmt.Errorf("it holds several images: name one by its tag (%s)", strings.Join(tags, ", "))
	}
	return left, nil
}

// placeOf reads which of so many images is meant; the first is 0.
func placeOf(text string, images int) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n >= uint64(images) {
		return 0, fmt.Errorf("it has no image at the place %q (it has %d)", text, images)
	}
	return int(n), nil
}

// namesOf are the tags that an image may be called by: that of the
// specification, and the full name that containerd and docker write.
func namesOf(m v1.Descriptor) []string {
	var names []string
	for _, key := range []string{refName, "io.containerd.image.name"} {
		if name := m.Annotations[key]; name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// isInline reports whether a descriptor holds what it describes.
func isInline(d v1.Descriptor) bool {
	return len(d.Data) > 0 && int64(len(d.Data)) == d.Size && digest.Check(d.Data, d.Digest.String()) == nil
}

func (l layoutBlobs) open(ctx context.Context, d v1.Descriptor) (part, error) {
	if isInline(d) {
		return part{io.NewSectionReader(bytes.NewReader(d.Data), 0, int64(len(d.Data))), io.NopCloser(nil)}, nil
	}
	p, err := l.parts.open("blobs/" + d.Digest.Algorithm + "/" + d.Digest.Hex)
	if err != nil {
		return part{}, fmt.Errorf("blob %s: %w", d.Digest, plain(err))
	}
	if err := check(ctx, p, d.Digest); err != nil {
		p.Close()
		return part{}, err
	}
	return p, nil
}

func (l layoutBlobs) read(ctx context.Context, d v1.Descriptor) ([]byte, error) {
	if isInline(d) {
		return d.Data, nil
	}
	p, err := l.open(ctx, d)
	if err != nil {
		return nil, err
	}
	p.Close()
	return readPart(l.parts, "blobs/"+d.Digest.Algorithm+"/"+d.Digest.Hex)
}
