// Package feature gets features of development containers from OCI registries, see
// https://containers.dev/implementors/features-distribution/. What is got is a
// stranger's: its size is bounded, and no name in it leads out of its directory.
package feature

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"banger/internal/format/tree"
	"banger/internal/registry"
)

// Bounds of a feature, in bytes: as it comes, and unpacked.
const (
	maxLayer    = 32 << 20
	maxUnpacked = 128 << 20
)

// layerType is what the type of a feature's layer begins with: some say how it is
// compressed.
const layerType = "application/vnd.devcontainers.layer.v1+tar"

// Options say which feature, and how to reach it.
type Options struct {
	Reference string // registry/repository, with a tag or a digest
	Insecure  bool   // plain http is fine for the registry
	Say       func(string)
	Warn      func(error)
}

// Get unpacks a feature into the directory dir, which it makes.
func Get(ctx context.Context, o Options, dir string) error {
	repo, ref, err := registry.Open(ctx, registry.Options{Reference: o.Reference, Insecure: o.Insecure, Say: o.Say, Warn: o.Warn})
	if err != nil {
		return err
	}
	raw, _, err := repo.Manifest(ctx, ref.Identifier(), string(types.OCIManifestSchema1))
	if err != nil {
		return err
	}
	sum, err := layerOf(raw)
	if err != nil {
		return err
	}
	layer, err := repo.Blob(ctx, sum, maxLayer)
	if err != nil {
		return err
	}
	return unpack(layer, dir, maxUnpacked)
}

// layerOf finds the one layer of a feature.
func layerOf(manifest []byte) (string, error) {
	var m v1.Manifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		return "", fmt.Errorf("read the manifest: %w", err)
	}
	if len(m.Layers) != 1 || !strings.HasPrefix(string(m.Layers[0].MediaType), layerType) {
		return "", errors.New("it is no feature of a development container")
	}
	return m.Layers[0].Digest.String(), nil
}

func unpack(layer []byte, dir string, limit int64) error {
	in := bufio.NewReader(bytes.NewReader(layer))
	var from io.Reader = in
	if head, _ := in.Peek(2); string(head) == "\x1f\x8b" {
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			return err
		}
		from = unzipped
	}
	bounded := &io.LimitedReader{R: from, N: limit}
	err := tree.UnpackInto(bounded, dir, true, tree.UnpackOptions{Guarded: true})
	if bounded.N <= 0 {
		return fmt.Errorf("it has more than %d bytes", limit)
	}
	return err
}
