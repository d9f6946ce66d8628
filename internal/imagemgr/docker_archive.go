package imagemgr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// openDockerArchive finds the image that docker save wrote.
func openDockerArchive(files parts, tag string) (*ociImage, error) {
	raw, err := readPart(files, "manifest.json")
	if err != nil {
		switch {
		case has(files, "repositories"):
			return nil, errors.New("it was written before Docker 1.10, and has no manifest: load it there, and save it again by a current one")
		case has(files, "index.json"):
			return nil, errors.New("it is an OCI image: pull it as oci-archive:FILE")
		}
		return nil, fmt.Errorf("docker save did not write it: %w", err)
	}
	var saved []savedImage
	if err := json.Unmarshal(raw, &saved); err != nil {
		return nil, fmt.Errorf("read manifest.json: %w", err)
	}
	s, err := pickSaved(saved, tag)
	if err != nil {
		return nil, err
	}
	data, err := readPart(files, s.Config)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	config, err := readConfig(data, len(s.Layers))
	if err != nil {
		return nil, err
	}
	i := &ociImage{digest: hashOf(data).String(), config: config}
	for n, file := range s.Layers {
		p, err := files.open(file)
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", file, plain(err))
		}
		p.Close()
		i.layers = append(i.layers, &layer{
			name: file, size: p.Size(), diffID: config.RootFS.DiffIDs[n],
			open: func(context.Context) (part, error) { return files.open(file) },
		})
	}
	return i, nil
}

// savedImage is an entry of the manifest.json that docker save writes.
type savedImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// pickSaved chooses an image by its tag, or @N for the one at a place. Where none
// is named there has to be one only, under however many tags.
func pickSaved(saved []savedImage, tag string) (savedImage, error) {
	if place, ok := strings.CutPrefix(tag, "@"); ok {
		n, err := placeOf(place, len(saved))
		if err != nil {
			return savedImage{}, err
		}
		return saved[n], nil
	}
	var tags []string
	several := false
	for _, s := range saved {
		if tag != "" && slices.ContainsFunc(s.RepoTags, func(t string) bool { return sameTag(t, tag) }) {
			return s, nil
		}
		tags = append(tags, s.RepoTags...)
		several = several || s.Config != saved[0].Config || !slices.Equal(s.Layers, saved[0].Layers)
	}
	switch {
	case len(saved) == 0:
		return savedImage{}, errors.New("it holds no image")
	case tag != "":
		return savedImage{}, fmt.Errorf("it has no image with the tag %q (it has %s)", tag, strings.Join(tags, ", "))
	case several:
		return savedImage{}, fmt.Errorf("it holds several images: name one by its tag (%s), or by its place, @0 to @%d", strings.Join(tags, ", "), len(saved)-1)
	}
	return saved[0], nil
}

// sameTag reports whether two tags are one in docker's eyes: app is
// docker.io/library/app:latest, which is what podman writes.
func sameTag(a, b string) bool {
	if a == b {
		return true
	}
	x, err := name.NewTag(a)
	if err != nil {
		return false
	}
	y, err := name.NewTag(b)
	return err == nil && x.Name() == y.Name()
}
