package imagemgr

import (
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"banger/internal/digest"
	"banger/internal/ref"
)

// saved is what docker save writes of images of one layer, by their tags.
func saved(t *testing.T, images ...savedImage) []byte {
	t.Helper()
	var items []item
	for n, i := range images {
		layer := makeTar(t, file("file", i.Config))
		images[n].Config, images[n].Layers = i.Config+".json", []string{i.Config + ".tar"}
		items = append(items, file(i.Config+".json", string(must(imageOf(layer).RawConfigFile()))), file(i.Config+".tar", string(layer)))
	}
	return makeTar(t, append(items, file("manifest.json", string(must(json.Marshal(images)))))...)
}

// docker save x | gzip is common, and Nix writes nothing else.
func TestPullCompressedArchive(t *testing.T) {
	data := saved(t, savedImage{Config: "one"})
	for _, program := range []string{"gzip", "xz", "zstd", "bzip2"} {
		t.Run(program, func(t *testing.T) {
			if _, err := exec.LookPath(program); err != nil {
				t.Skip("needs " + program)
			}
			path := filepath.Join(t.TempDir(), "saved")
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			packed, err := exec.Command(program, "-c", path).Output()
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, packed, 0o600); err != nil {
				t.Fatal(err)
			}
			s := testStore(t)
			if _, err := pull(t.Context(), s, "docker-archive:"+path, "a", nil); err != nil {
				t.Fatal(err)
			}
			if got := debugfs(t, s.Rootfs("a"), "cat /file"); got != "one" {
				t.Errorf("got %q", got)
			}
			if entries, err := os.ReadDir(filepath.Dir(s.tree.Dir)); err != nil || len(entries) > 3 {
				t.Errorf("left %v, %v", entries, err)
			}
		})
	}
}

func TestPullByTag(t *testing.T) {
	path := filepath.Join(t.TempDir(), "saved.tar")
	two := saved(t,
		savedImage{Config: "one", RepoTags: []string{"docker.io/library/app:latest", "app:1"}},
		savedImage{Config: "two", RepoTags: []string{"registry.example/app:2"}})
	twice := saved(t, savedImage{Config: "one", RepoTags: []string{"a:1"}}, savedImage{Config: "one", RepoTags: []string{"b:1"}})
	for _, c := range []struct {
		data             []byte
		tag, want, fault string
	}{
		{two, ":app", "one", ""},
		{two, ":app:latest", "one", ""},
		{two, ":docker.io/library/app:1", "one", ""},
		{two, ":registry.example/app:2", "two", ""},
		{two, ":@1", "two", ""},
		{two, ":@2", "", `no image at the place "2" (it has 2)`},
		{two, ":other", "", `no image with the tag "other"`},
		{two, "", "", "several images"},
		{twice, "", "one", ""},
		{twice, ":b:1", "one", ""},
	} {
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		s := testStore(t)
		_, err := pull(t.Context(), s, "docker-archive:"+path+c.tag, "a", nil)
		switch {
		case c.fault != "":
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: %v", c.tag, err)
			}
		case err != nil:
			t.Errorf("%s: %v", c.tag, err)
		default:
			if got := debugfs(t, s.Rootfs("a"), "cat /file"); got != c.want {
				t.Errorf("%s: got %q", c.tag, got)
			}
		}
	}
}

// long makes a descriptor of a pile's blob one by SHA-512.
func (p pile) long(d v1.Descriptor) v1.Descriptor {
	data := p["blobs/sha256/"+d.Digest.Hex]
	sum := sha512.Sum512(data)
	d.Digest = v1.Hash{Algorithm: "sha512", Hex: hex.EncodeToString(sum[:])}
	p["blobs/sha512/"+d.Digest.Hex] = data
	return d
}

func TestPullSHA512(t *testing.T) {
	p := pile{}
	layer := makeTar(t, file("file", "x"))
	blob := p.long(p.add(types.OCIUncompressedLayer, layer))
	config := v1.ConfigFile{OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{blob.Digest}}}
	manifest := p.long(p.addJSON(types.OCIManifestSchema1, v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Layers: []v1.Descriptor{blob}, Config: p.long(p.addJSON(types.OCIConfigJSON, config)),
	}))
	p.index(manifest)
	if i, err := pull(t.Context(), testStore(t), "oci-archive:"+p.archive(t), "a", nil); err != nil || i.SourceDigest != manifest.Digest.String() {
		t.Errorf("a layout: %+v, %v", i, err)
	}
	lies := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if data, ok := p["blobs/"+strings.Replace(filepath.Base(r.URL.Path), ":", "/", 1)]; ok {
			w.Write(data)
			if lies {
				io.WriteString(w, " ")
			}
		}
	}))
	defer server.Close()
	reference := strings.TrimPrefix(server.URL, "http://") + "/app@" + manifest.Digest.String()
	if i, err := pull(t.Context(), testStore(t), "docker://"+reference, "a", nil); err != nil || i.SourceDigest != manifest.Digest.String() {
		t.Errorf("a registry: %+v, %v", i, err)
	}
	lies = true
	_, err := pull(t.Context(), testStore(t), "docker://"+reference, "a", nil)
	if e, ok := errors.AsType[*digest.Error](err); !ok || e.Want != manifest.Digest.String() {
		t.Errorf("a lying registry: %v", err)
	}
	p["blobs/sha512/"+blob.Digest.Hex] = append([]byte("y"), layer[1:]...)
	if _, err := pull(t.Context(), testStore(t), "oci-archive:"+p.archive(t), "a", nil); !errors.As(err, new(*digest.Error)) {
		t.Errorf("another layer: %v", err)
	}
}

// Docker Desktop leaves a configuration behind that names a helper; a public
// image needs none.
func TestPullWithoutCredentialHelper(t *testing.T) {
	reference := serve(t, imageOf(smallLayers(t)...), nil)
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	if err := os.WriteFile(filepath.Join(dir, "docker-credential-failing"), []byte("#!/bin/sh\necho locked\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, config := range []string{`{"credsStore":"absent"}`, `{"credsStore":"failing"}`, `{"auths":`} {
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		var warned []string
		_, err := testStore(t).Pull(t.Context(), PullOptions{
			Source: must(ref.ParseSource(reference)), Name: "a", Warn: func(err error) { warned = append(warned, err.Error()) },
		})
		if err != nil || len(warned) != 1 || !strings.Contains(warned[0], "going on without") {
			t.Errorf("%s: %v, warned %q", config, err, warned)
		}
	}
}

// withType has a registry say more of manifests than their type.
func withType(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(typed{w}, r) })
}

type typed struct{ http.ResponseWriter }

func (w typed) WriteHeader(status int) {
	if kind := w.Header().Get("Content-Type"); strings.Contains(kind, "manifest") || strings.Contains(kind, "index") {
		w.Header().Set("Content-Type", strings.ToUpper(kind)+"; charset=utf-8")
	}
	w.ResponseWriter.WriteHeader(status)
}

// Indexes as builders and registries have them: no platform said, attestations
// and other machines' images beside.
func TestPullIndexFromRegistry(t *testing.T) {
	mine := imageOf(smallLayers(t)...)
	arm := must(mutate.ConfigFile(imageOf(makeTar(t, file("arm", ""))), &v1.ConfigFile{OS: "linux", Architecture: "arm64", RootFS: must(imageOf(makeTar(t, file("arm", ""))).ConfigFile()).RootFS}))
	attestation := imageOf(makeTar(t, file("att", "")))
	notes := map[string]string{referenceType: "attestation-manifest"}
	unknown := &v1.Platform{OS: "unknown", Architecture: "unknown"}
	server := httptest.NewServer(withType(registry.New(registry.Logger(log.New(io.Discard, "", 0)))))
	defer server.Close()
	for n, adds := range [][]mutate.IndexAddendum{
		{{Add: mine}},
		{{Add: arm}, {Add: mine}},
		{{Add: attestation, Descriptor: v1.Descriptor{Platform: unknown}}, {Add: mine}},
		{{Add: attestation, Descriptor: v1.Descriptor{Annotations: notes}}, {Add: arm, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}}}, {Add: mine}},
		{{Add: arm}, {Add: mine, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}}},
	} {
		text := fmt.Sprintf("%s/app:%d", strings.TrimPrefix(server.URL, "http://"), n)
		if err := remote.WriteIndex(must(name.ParseReference(text)), mutate.AppendManifests(empty.Index, adds...)); err != nil {
			t.Fatal(err)
		}
		if i, err := pull(t.Context(), testStore(t), text, "a", nil); err != nil || i.SourceDigest != must(mine.Digest()).String() {
			t.Errorf("index %d: %+v, %v", n, i, err)
		}
	}
}

// An index may list signatures and the like beside the image, without a platform; and
// a layout several images that nothing tells apart.
func TestPullBesideOthers(t *testing.T) {
	image := func(content string) v1.Image { return imageOf(makeTar(t, file("file", content))) }
	chart := mutate.ConfigMediaType(image("chart"), "application/vnd.cncf.helm.config.v1+json")
	other := must(mutate.ConfigFile(image("other"), &v1.ConfigFile{OS: "linux", Architecture: "s390x", RootFS: must(image("other").ConfigFile()).RootFS}))
	here := v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: platform().Architecture}}
	two := []mutate.IndexAddendum{{Add: image("a")}, {Add: image("mine")}}
	sum := must(image("mine").Digest()).String()
	called := func(name string) v1.Descriptor {
		return v1.Descriptor{Annotations: map[string]string{"io.containerd.image.name": "docker.io/library/app:" + name, refName: name}}
	}
	named := []mutate.IndexAddendum{{Add: image("a"), Descriptor: called("1")}, {Add: image("mine"), Descriptor: called("2")}}
	for name, tt := range map[string]struct {
		images     []mutate.IndexAddendum
		tag, fault string
	}{
		"an artifact":           {images: []mutate.IndexAddendum{{Add: chart}, {Add: image("mine")}}},
		"an artifact that says": {images: []mutate.IndexAddendum{{Add: image("signature"), Descriptor: v1.Descriptor{ArtifactType: "application/x"}}, {Add: image("mine")}}},
		"another machine's":     {images: []mutate.IndexAddendum{{Add: other}, {Add: chart}, {Add: image("mine")}}},
		"artifacts only":        {images: []mutate.IndexAddendum{{Add: chart}, {Add: mutate.ConfigMediaType(image("x"), "application/x")}}, fault: "its index holds no image"},
		"two":                   {images: []mutate.IndexAddendum{{Add: image("a")}, {Add: image("b")}}, fault: "it holds several images"},
		"two that say so":       {images: []mutate.IndexAddendum{{Add: image("a"), Descriptor: here}, {Add: image("b"), Descriptor: here}}, fault: "by its place, @0 to @1"},
		"one of two":            {images: two, tag: ":@1"},
		"one by its digest":     {images: two, tag: "@" + sum},
		"the same by a tag":     {images: two, tag: ":@" + sum},
		"one in an index":       {images: []mutate.IndexAddendum{{Add: mutate.AppendManifests(empty.Index, two...)}}, tag: ":@" + sum},
		"one by docker's name":  {images: named, tag: ":app:2"},
		"by all of it":          {images: named, tag: ":docker.io/library/app:2"},
		"one that is not there": {images: two, tag: "@sha256:" + strings.Repeat("0", 64), fault: "blob sha256:0000"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, s := t.TempDir(), testStore(t)
			must(layout.Write(dir, mutate.AppendManifests(empty.Index, tt.images...)))
			_, err := pull(t.Context(), s, "oci:"+dir+tt.tag, "a", nil)
			switch {
			case tt.fault != "":
				if err == nil || !strings.Contains(err.Error(), tt.fault) {
					t.Errorf("got %v, want %q", err, tt.fault)
				}
			case err != nil:
				t.Error(err)
			default:
				if got := debugfs(t, s.Rootfs("a"), "cat /file"); got != "mine" {
					t.Errorf("got %q", got)
				}
			}
		})
	}
}

// skopeo and podman copy images to directories of their own form, whole indexes too.
func TestPullDirectory(t *testing.T) {
	p := pile{}
	layer := makeTar(t, file("file", "x"))
	image := p.image(nil, layer)
	other := p.image(nil, makeTar(t, file("file", "other")))
	other.Platform, image.Platform = &v1.Platform{OS: "linux", Architecture: "s390x"}, &v1.Platform{OS: "linux", Architecture: platform().Architecture}
	for what, top := range map[string]v1.Descriptor{
		"an image": image,
		"an index": p.addJSON(types.OCIImageIndex, v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{other, image}}),
	} {
		dir := t.TempDir()
		for name, data := range p {
			name = filepath.Base(name)
			switch name {
			case top.Digest.Hex:
				name = "manifest.json"
			case image.Digest.Hex:
				name += ".manifest.json"
			}
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := testStore(t)
		if i, err := pull(t.Context(), s, "dir:"+dir, "a", nil); err != nil || i.SourceDigest != image.Digest.String() {
			t.Errorf("%s: %s, %v", what, i.SourceDigest, err)
		} else if got := debugfs(t, s.Rootfs("a"), "cat /file"); got != "x" {
			t.Errorf("%s: got %q", what, got)
		}
		if err := os.WriteFile(filepath.Join(dir, hashOf(layer).Hex), append([]byte("y"), layer[1:]...), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := pull(t.Context(), testStore(t), "dir:"+dir, "a", nil); !errors.As(err, new(*digest.Error)) {
			t.Errorf("%s with another layer: %v", what, err)
		}
	}
	if _, err := pull(t.Context(), testStore(t), "dir:"+t.TempDir(), "a", nil); err == nil || !strings.Contains(err.Error(), "manifest.json: no such file") {
		t.Errorf("an empty directory: %v", err)
	}
}

// Where there is no standard input, such as behind the API, none is read.
func TestPullWithoutInput(t *testing.T) {
	for _, source := range []string{"-", "tar:-", "docker-archive:-", "oci-archive:-:v1"} {
		if _, err := pull(t.Context(), testStore(t), source, "a", nil); !errors.Is(err, errNoInput) {
			t.Errorf("%s: %v", source, err)
		}
	}
}
