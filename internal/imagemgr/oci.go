package imagemgr

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// blobs is where the parts of an image are found by digest. What read and open
// return has been checked.
type blobs interface {
	read(ctx context.Context, d v1.Descriptor) ([]byte, error)
	open(ctx context.Context, d v1.Descriptor) (part, error)
}

// ociImage is an image for this machine, its layers unread.
type ociImage struct {
	digest string
	config *v1.ConfigFile
	layers []*layer

	from    io.Closer // what the layers are read from, or nil
	fetched bool      // they are fetched when they are opened
}

// platform is the one that images must be for.
func platform() v1.Platform { return v1.Platform{OS: "linux", Architecture: runtime.GOARCH} }

// resolveImage follows a descriptor, through indexes, to the image for this
// machine.
func resolveImage(ctx context.Context, from blobs, d v1.Descriptor) (*ociImage, error) {
	for range 4 { // an index in an index is rare, more of them a mistake
		raw, err := from.read(ctx, d)
		if err != nil {
			return nil, err
		}
		kind, err := manifestType(raw, d.MediaType)
		switch {
		case err != nil:
			return nil, err
		case kind.IsImage():
			return readImage(ctx, from, raw, d.Digest)
		case kind.IsSchema1():
			return nil, errors.New("its manifest is of Docker's schema 1, which is too old: push it again with a current tool")
		case !kind.IsIndex():
			return nil, fmt.Errorf("its manifest is of type %q, which is no image", kind)
		}
		index, err := v1.ParseIndexManifest(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("read the index: %w", err)
		}
		if d, err = forPlatform(index.Manifests); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("its indexes are nested too deep")
}

// manifestType returns what a manifest says it is, or what was said of it.
func manifestType(raw []byte, said types.MediaType) (types.MediaType, error) {
	var m struct {
		MediaType types.MediaType `json:"mediaType"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return "", fmt.Errorf("read the manifest: %w", err)
	}
	if m.MediaType != "" {
		return m.MediaType, nil
	}
	return said, nil
}

// forPlatform chooses the manifest for this machine. One for a newer variant
// of the processor is the second choice.
func forPlatform(manifests []v1.Descriptor) (v1.Descriptor, error) {
	want := platform()
	var chosen *v1.Descriptor
	var others []string
	for _, m := range manifests {
		switch {
		case m.Platform == nil || m.Platform.OS == "unknown": // attestations are "unknown"
		case m.Platform.OS != want.OS || m.Platform.Architecture != want.Architecture:
			others = append(others, m.Platform.String())
		case chosen == nil || m.Platform.Variant == "" && chosen.Platform.Variant != "":
			chosen = &m
		}
	}
	if chosen == nil && len(manifests) == 1 && manifests[0].Platform == nil {
		chosen = &manifests[0]
	}
	if chosen == nil {
		slices.Sort(others)
		return v1.Descriptor{}, fmt.Errorf("it has no image for %s (it has %s)", want, strings.Join(slices.Compact(others), ", "))
	}
	return *chosen, nil
}

// readImage reads a manifest and the configuration that it names.
func readImage(ctx context.Context, from blobs, raw []byte, digest v1.Hash) (*ociImage, error) {
	m, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	if !m.Config.MediaType.IsConfig() {
		return nil, fmt.Errorf("it is no container image: its configuration is of type %q", m.Config.MediaType)
	}
	data, err := from.read(ctx, m.Config)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	config, err := readConfig(data, len(m.Layers))
	if err != nil {
		return nil, err
	}
	i := &ociImage{digest: digest.String(), config: config}
	for n, d := range m.Layers {
		if !d.MediaType.IsLayer() {
			return nil, fmt.Errorf("layer %s is of type %q, which is no file system layer", d.Digest, d.MediaType)
		}
		i.layers = append(i.layers, &layer{
			name: d.Digest.String(), size: d.Size, diffID: config.RootFS.DiffIDs[n],
			open: func(ctx context.Context) (part, error) { return from.open(ctx, d) },
		})
	}
	return i, nil
}

// readConfig reads an image's configuration and checks that it fits the
// manifest and this machine.
func readConfig(data []byte, layers int) (*v1.ConfigFile, error) {
	config, err := v1.ParseConfigFile(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	want := platform()
	switch {
	case len(config.RootFS.DiffIDs) != layers:
		return nil, fmt.Errorf("its manifest has %d layers and its configuration %d", layers, len(config.RootFS.DiffIDs))
	case config.OS != "" && config.OS != want.OS, config.Architecture != "" && config.Architecture != want.Architecture:
		return nil, fmt.Errorf("it is for %s/%s: this machine needs %s", config.OS, config.Architecture, want)
	}
	return config, nil
}

// configOf keeps of an image's configuration what banger honours.
func configOf(c v1.Config) *Config {
	return &Config{
		User: c.User, Env: c.Env, WorkingDir: c.WorkingDir, Entrypoint: c.Entrypoint, Cmd: c.Cmd,
		StopSignal: c.StopSignal, Labels: c.Labels,
	}
}
