package engine

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"banger/internal/devfile"
)

// pushFeature puts a feature into a registry, which says of itself what manifest has.
func pushFeature(t *testing.T, at, manifest string) {
	t.Helper()
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for name, text := range map[string]string{"install.sh": "echo " + at, "devcontainer-feature.json": manifest} {
		if err := w.WriteHeader(&tar.Header{Name: "./" + name, Mode: 0o755, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	image, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), static.NewLayer(layer.Bytes(), "application/vnd.devcontainers.layer.v1+tar"))
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(at)
	if err == nil {
		err = remote.Write(ref, image)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Features come from the project and from registries, with those that they need, and
// in the order that they ask for.
func TestProvideFeatures(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	pushFeature(t, host+"/f/go:1", `{"options": {"version": {"default": "latest"}}, "containerEnv": {"PATH": "/go/bin:${PATH}"}, "dependsOn": {"`+host+`/f/base:2": {"x": true}}, "entrypoint": "/init"}`)
	pushFeature(t, host+"/f/base:2", `{"dependsOn": {"`+host+`/f/base": {}}}`) // itself
	project := t.TempDir()
	local := filepath.Join(project, ".devcontainer", "tool")
	if err := os.MkdirAll(local, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"install.sh": "", "devcontainer-feature.json": `{"installsAfter": ["` + host + `/f/go"]}`} {
		if err := os.WriteFile(filepath.Join(local, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := devfile.Spec{Dir: project, Features: []devfile.Feature{
		{ID: "./tool", Dir: local}, {ID: host + "/f/go:1", Given: json.RawMessage(`{"version": "1.22"}`)},
	}}
	var said []string
	got, err := newEngine(t).provideFeatures(t.Context(), s, filepath.Join(t.TempDir(), "f"), func(e Event) {
		if n, is := e.(Notice); is {
			said = append(said, n.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, f := range got {
		ids = append(ids, strings.TrimPrefix(f.ID, host))
		if !filepath.IsAbs(f.Dir) || strings.HasPrefix(f.Dir, project) {
			t.Errorf("%s is in %s", f.ID, f.Dir)
		}
		if _, err := os.Stat(filepath.Join(f.Dir, "install.sh")); err != nil {
			t.Error(err)
		}
	}
	if !slices.Equal(ids, []string{"/f/base:2", "/f/go:1", "./tool"}) {
		t.Errorf("in the order %q", ids)
	}
	at := slices.IndexFunc(got, func(f devfile.Feature) bool { return strings.HasSuffix(f.ID, "/f/go:1") })
	if f := got[at]; !slices.Equal(f.Env, []string{"VERSION=1.22"}) || !slices.Equal(f.Guest, []string{"PATH=/go/bin:${PATH}"}) {
		t.Errorf("got %+v", f)
	}
	if len(said) != 1 || !strings.Contains(said[0], "entrypoint") {
		t.Errorf("said %q", said)
	}

	if err := os.RemoveAll(local); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", local); err != nil {
		t.Fatal(err)
	}
	s.Features = s.Features[:1]
	if got, err := newEngine(t).provideFeatures(t.Context(), s, filepath.Join(t.TempDir(), "f"), nil); err == nil {
		t.Errorf("a link out of the project became %+v", got)
	}
}
