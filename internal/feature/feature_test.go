package feature

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	inmemory "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// tarOf makes a tar of files, whose names are as they are.
func tarOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestGet(t *testing.T) {
	server := httptest.NewServer(inmemory.New(inmemory.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	good := tarOf(t, map[string]string{"./install.sh": "#!/bin/sh\n", "./devcontainer-feature.json": "{}"})
	for repo, tt := range map[string]struct {
		layers [][]byte
		kind   types.MediaType
		want   string // of the error
	}{
		"plain":      {[][]byte{good}, layerType, ""},
		"compressed": {[][]byte{zipped(t, good)}, layerType + "+gzip", ""},
		"image":      {[][]byte{good}, types.OCILayer, "no feature"},
		"two":        {[][]byte{good, good}, layerType, "no feature"},
		"escaping":   {[][]byte{tarOf(t, map[string]string{"../out": "x"})}, layerType, ".."},
		"no-tar":     {[][]byte{[]byte(strings.Repeat("x", 4096))}, layerType, "tar"},
	} {
		t.Run(repo, func(t *testing.T) {
			image := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
			for _, layer := range tt.layers {
				var err error
				if image, err = mutate.AppendLayers(image, static.NewLayer(layer, tt.kind)); err != nil {
					t.Fatal(err)
				}
			}
			push(t, host+"/x/"+repo+":1", image)
			dir := filepath.Join(t.TempDir(), "in", "feature")
			err := Get(t.Context(), Options{Reference: host + "/x/" + repo + ":1"}, dir)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v", err)
				}
				return
			}
			if text, readErr := os.ReadFile(filepath.Join(dir, "install.sh")); err != nil || string(text) != "#!/bin/sh\n" {
				t.Errorf("got %q, %v, %v", text, err, readErr)
			}
		})
	}
	if err := Get(t.Context(), Options{Reference: host + "/x/none:1"}, t.TempDir()); err == nil {
		t.Error("got what is not there")
	}
	bomb := zipped(t, tarOf(t, map[string]string{"zeros": strings.Repeat("0", 1<<20)}))
	if err := unpack(bomb, filepath.Join(t.TempDir(), "bomb"), 1<<19); err == nil || !strings.Contains(err.Error(), "more than 524288 bytes") {
		t.Errorf("a bomb: %v", err)
	}
}

func push(t *testing.T, at string, image v1.Image) {
	t.Helper()
	ref, err := name.ParseReference(at)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
}
