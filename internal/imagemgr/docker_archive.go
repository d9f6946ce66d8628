package imagemgr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// openDockerArchive finds the image that docker save wrote.
func openDockerArchive(files parts, tag string) (*ociImage, error) {
	raw, err := readPart(files, "manifest.json")
	if err != nil {
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
	for n, name := range s.Layers {
		p, err := files.open(name)
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", name, plain(err))
		}
		p.Close()
		i.layers = append(i.layers, &layer{
			name: name, size: p.Size(), diffID: config.RootFS.DiffIDs[n],
			open: func(context.Context) (part, error) { return files.open(name) },
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

func pickSaved(saved []savedImage, tag string) (savedImage, error) {
	var tags []string
	for _, s := range saved {
		if tag != "" && slices.Contains(s.RepoTags, tag) {
			return s, nil
		}
		tags = append(tags, s.RepoTags...)
	}
	switch {
	case len(saved) == 0:
		return savedImage{}, errors.New("it holds no image")
	case tag != "":
		return savedImage{}, fmt.Errorf("it has no image with the tag %q (it has %s)", tag, strings.Join(tags, ", "))
	case len(saved) > 1:
		return savedImage{}, fmt.Errorf("it holds several images: name one by its tag (%s)", strings.Join(tags, ", "))
	}
	return saved[0], nil
}
