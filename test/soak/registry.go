package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// serve serves the tars as images of a registry, for as long as soak runs.
func (s *soak) serve(inputs string) error {
	if s.registry != "" {
		return nil
	}
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	s.registry = strings.TrimPrefix(server.URL, "http://")
	s.catalog = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"version": 1, "entries": []}`)
	})).URL + "/catalog.json"
	for _, image := range []string{"small", "large"} {
		layer, err := tarball.LayerFromFile(filepath.Join(inputs, image+".tar"))
		if err != nil {
			return err
		}
		made, err := mutate.AppendLayers(empty.Image, layer)
		if err != nil {
			return err
		}
		ref, err := name.ParseReference(s.registry+"/"+image, name.Insecure)
		if err != nil {
			return err
		}
		if err := remote.Write(ref, made); err != nil {
			return err
		}
	}
	return nil
}
