package imagemgr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// refName is the annotation that names an image in an OCI layout.
const refName = "org.opencontainers.image.ref.name"

// layoutBlobs are the blobs of an OCI image layout, in a directory or a tar.
type layoutBlobs struct{ parts }

// splitTag takes the tag off PATH[:TAG]: the path is the longest that there is.
func splitTag(text string) (path, tag string) {
	for at := len(text); at > 0; at = strings.LastIndexByte(text[:at], ':') {
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
	if err != nil {
		return nil, fmt.Errorf("it is no OCI layout: %w", err)
	}
	index, err := v1.ParseIndexManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("read index.json: %w", err)
	}
	d, err := pick(index.Manifests, tag)
	if err != nil {
		return nil, err
	}
	return resolveImage(ctx, layoutBlobs{files}, d)
}

// pick chooses among the images of a layout.
func pick(manifests []v1.Descriptor, tag string) (v1.Descriptor, error) {
	var tags []string
	var left []v1.Descriptor
	for _, m := range manifests {
		if name := m.Annotations[refName]; name != "" {
			tags = append(tags, name)
		}
		if tag == "" || m.Annotations[refName] == tag {
			left = append(left, m)
		}
	}
	slices.Sort(tags)
	tags = slices.Compact(tags)
	switch {
	case len(left) == 0 && tag != "":
		return v1.Descriptor{}, fmt.Errorf("it has no image with the tag %q (it has %s)", tag, strings.Join(tags, ", "))
	case len(left) == 0:
		return v1.Descriptor{}, errors.New("it holds no image")
	case len(left) == 1:
		return left[0], nil
	case len(tags) > 1 && tag == "":
		return v1.Descriptor{}, fmt.Errorf("it holds several images: name one by its tag (%s)", strings.Join(tags, ", "))
	}
	return forPlatform(left)
}

func (l layoutBlobs) open(ctx context.Context, d v1.Descriptor) (part, error) {
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
	p, err := l.open(ctx, d)
	if err != nil {
		return nil, err
	}
	p.Close()
	return readPart(l.parts, "blobs/"+d.Digest.Algorithm+"/"+d.Digest.Hex)
}
