package vm

import (
	"archive/tar"
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// A devcontainer.json's image and features come from a registry, and make the VM of the
// project: a feature's program is found by all that run there.
func TestDevcontainer(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.env = append(h.env, "BANGER_KERNEL=debian")
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	at := strings.TrimPrefix(server.URL, "http://") + "/devcontainers/"

	layer, err := tarball.LayerFromFile(h.smallTar())
	h.must(err)
	image, err := mutate.AppendLayers(empty.Image, layer)
	h.must(err)
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{Architecture: "amd64", OS: "linux", RootFS: must(h, image).RootFS, Config: v1.Config{Env: []string{"PATH=/bin:/sbin"}}})
	h.must(err)
	h.push(at+"base:1", image)
	var feature bytes.Buffer
	w := tar.NewWriter(&feature)
	for name, text := range map[string]string{
		"./install.sh":                "#!/bin/sh\nset -e\nmkdir -p /opt/checker\nprintf '#!/bin/sh\\necho version %s for %s\\nexec sh test.sh\\n' \"$VERSION\" \"$_REMOTE_USER\" >/opt/checker/checker\nchmod 755 /opt/checker/checker\n",
		"./devcontainer-feature.json": `{"id": "checker", "options": {"version": {"default": "9"}, "other": {"default": ""}}, "containerEnv": {"PATH": "/opt/checker:${PATH}"}}`,
	} {
		h.must(w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}))
		_, err := io.WriteString(w, text)
		h.must(err)
	}
	h.must(w.Close())
	of := static.NewLayer(feature.Bytes(), "application/vnd.devcontainers.layer.v1+tar")
	image, err = mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), of)
	h.must(err)
	h.push(at+"features/checker:1", image)

	dir := filepath.Join(t.TempDir(), "shop")
	h.must(os.MkdirAll(filepath.Join(dir, ".devcontainer"), 0o755))
	h.must(os.WriteFile(filepath.Join(dir, "test.sh"), []byte("cat created; echo PASS $PROJECT\n"), 0o644))
	h.must(os.WriteFile(filepath.Join(dir, ".devcontainer", "devcontainer.json"), []byte(`// For format details, see https://aka.ms/devcontainer.json.
{
	"name": "Shop",
	"image": "`+at+`base:1",
	"features": {
		"`+at+`features/checker:1": {"version": "2"}, // the newest
	},
	"mounts": ["source=shop-cache,target=/cache,type=volume"],
	"containerEnv": {"PROJECT": "${localWorkspaceFolderBasename}"},
	"postCreateCommand": "echo made >created && echo cached >/cache/file",
	"runArgs": ["--init"],
	"remoteUser": "root",
}
`), 0o644))
	h.fails("the guest has the volume shop-cache:/cache", "up", "-C", dir)
	r := h.banger("up", "-C", dir, "--agree")
	if r.code != 0 || !strings.Contains(r.stderr, "banger does not do what it says of runArgs") {
		t.Fatalf("up: %+v", r)
	}
	if got := h.ok("shell", "-C", dir, "--", "checker"); got != "version 2 for root\nmade\nPASS shop\n" {
		t.Errorf("the tests say %q", got)
	}
	h.ok("down", "-C", dir, "--rm")
	if got := h.ok("volume", "list", "-q"); got != "shop-cache\n" {
		t.Errorf("there are the volumes %q", got)
	}
	server.Close() // what was got is here
	h.ok("up", "-C", dir, "--agree")
	h.ok("down", "-C", dir, "--rm")
	h.wantNothingLeft()
}

// push puts an image or an artifact into a registry.
func (h *host) push(at string, image v1.Image) {
	h.t.Helper()
	ref, err := name.ParseReference(at)
	h.must(err)
	h.must(remote.Write(ref, image))
}
