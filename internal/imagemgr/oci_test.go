package imagemgr

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/compression"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// layerOf compresses a layer: by gzip, zstd or not at all.
func layerOf(kind types.MediaType, data []byte) v1.Layer {
	opener := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	options := []tarball.LayerOption{tarball.WithMediaType(kind)}
	switch kind {
	case types.OCIUncompressedLayer:
		return static.NewLayer(data, kind)
	case types.OCILayerZStd:
		options = append(options, tarball.WithCompression(compression.ZStd))
	}
	return must(tarball.LayerFromOpener(opener, options...))
}

// imageOf makes an image for linux/amd64, of layers in each of the formats.
func imageOf(layers ...[]byte) v1.Image {
	kinds := []types.MediaType{types.OCILayer, types.OCILayerZStd, types.OCIUncompressedLayer}
	var list []v1.Layer
	for n, data := range layers {
		list = append(list, layerOf(kinds[n%len(kinds)], data))
	}
	return withLayers(list...)
}

func withLayers(layers ...v1.Layer) v1.Image {
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image := must(mutate.AppendLayers(base, layers...))
	config := must(image.ConfigFile()).DeepCopy()
	config.OS, config.Architecture = "linux", "amd64"
	config.Config = v1.Config{
		User: "1000:1000", Env: []string{"PATH=/bin", "A=b"}, WorkingDir: "/srv", Entrypoint: []string{"/bin/sh", "-c"},
		Cmd: []string{"exec true"}, StopSignal: "SIGINT", Labels: map[string]string{"k": "v"},
	}
	return must(mutate.ConfigFile(image, config))
}

var testConfig = &Config{
	User: "1000:1000", Env: []string{"PATH=/bin", "A=b"}, WorkingDir: "/srv", Entrypoint: []string{"/bin/sh", "-c"},
	Cmd: []string{"exec true"}, StopSignal: "SIGINT", Labels: map[string]string{"k": "v"},
}

// smallLayers are three layers with a whiteout.
func smallLayers(t testing.TB) [][]byte {
	return [][]byte{
		makeTar(t, append(smallRootfs, file("gone", "x"))...),
		makeTar(t, file(".wh.gone", ""), file("etc/hostname", "box\n")),
		makeTar(t, item{kind: tar.TypeLink, name: "again", target: "etc/hostname"}),
	}
}

// writeLayout writes images with their tags as an OCI layout.
func writeLayout(t testing.TB, images map[string]v1.Image) string {
	t.Helper()
	dir := t.TempDir()
	path := must(layout.Write(dir, empty.Index))
	for tag, image := range images {
		if err := path.AppendImage(image, layout.WithAnnotations(map[string]string{refName: tag})); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// tarOf packs a directory.
func tarOf(t testing.TB, dir string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image.tar")
	f := must(os.Create(path))
	defer f.Close()
	w := tar.NewWriter(f)
	if err := w.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// serve runs a registry with an image in it as org/app:v1, and puts wrap
// around it. It returns the reference.
func serve(t testing.TB, image v1.Image, wrap func(http.Handler) http.Handler) string {
	t.Helper()
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	reference := strings.TrimPrefix(server.URL, "http://") + "/org/app:v1"
	if err := remote.Write(must(name.ParseReference(reference)), image); err != nil {
		t.Fatal(err)
	}
	if wrap != nil {
		handler = wrap(handler)
	}
	return reference
}

func TestPullOCI(t *testing.T) {
	image := imageOf(smallLayers(t)...)
	dir := writeLayout(t, map[string]v1.Image{"v1": image})
	saved := filepath.Join(t.TempDir(), "saved.tar")
	if err := tarball.WriteToFile(saved, must(name.NewTag("org/app:v1")), image); err != nil {
		t.Fatal(err)
	}
	archive := tarOf(t, dir)
	manifest, id := must(image.Digest()).String(), must(image.ConfigName()).String()
	var digest string
	for source, want := range map[string]string{
		"oci:" + dir:                              manifest,
		"oci:" + dir + ":v1":                      manifest,
		"oci-archive:" + archive:                  manifest,
		"oci-archive:" + archive + ":v1":          manifest,
		"docker-archive:" + saved:                 id,
		"docker-archive:" + saved + ":org/app:v1": id,
		serve(t, image, nil):                      manifest,
	} {
		s := testStore(t)
		i, err := pull(t.Context(), s, source, "a", nil)
		if err != nil {
			t.Error(err)
			continue
		}
		if i.SourceDigest != want || i.Distro != "debian" {
			t.Errorf("%s: digest %s, want %s; distro %q", source, i.SourceDigest, want, i.Distro)
		}
		if d := cmp.Diff(testConfig, i.Config); d != "" {
			t.Errorf("%s: %s", source, d)
		}
		if digest != "" && digest != i.Digest {
			t.Errorf("%s: made other bytes than the same layers from elsewhere", source)
		}
		digest = i.Digest
		fsck(t, s.Rootfs("a"))
		if out := debugfs(t, s.Rootfs("a"), "cat /again"); out != "box\n" {
			t.Errorf("%s: /again holds %q", source, out)
		}
		if entries := must(os.ReadDir(s.tree.Path("a"))); len(entries) != 2 {
			t.Errorf("%s: left %v beside the image", source, entries)
		}
	}
}

// What old versions of docker save write: a directory for each layer, and
// layers that are the same as another's as symbolic links.
func TestPullOldDockerArchive(t *testing.T) {
	layers := smallLayers(t)
	image := imageOf(layers[0], layers[1], layers[1])
	config := must(image.RawConfigFile())
	path := filepath.Join(t.TempDir(), "saved.tar")
	manifest := must(json.Marshal([]savedImage{{Config: "c.json", Layers: []string{"1/layer.tar", "2/layer.tar", "3/layer.tar"}}}))
	data := makeTar(t, file("c.json", string(config)), file("1/layer.tar", string(layers[0])), file("2/layer.tar", string(layers[1])),
		item{kind: tar.TypeSymlink, name: "3/layer.tar", target: "../2/layer.tar"}, file("manifest.json", string(manifest)))
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pull(t.Context(), testStore(t), "docker-archive:"+path, "a", nil); err != nil {
		t.Error(err)
	}
}

// The image for this machine is chosen, wherever in an index it is.
func TestPullIndex(t *testing.T) {
	other := imageOf(makeTar(t, file("x", "")))
	mine := imageOf(smallLayers(t)...)
	for _, c := range []struct {
		what      string
		platforms []v1.Platform
	}{
		{"only", []v1.Platform{{OS: "linux", Architecture: "amd64"}}},
		{"second", []v1.Platform{{OS: "linux", Architecture: "arm64"}, {OS: "linux", Architecture: "amd64"}}},
		{"with a newer variant", []v1.Platform{{OS: "linux", Architecture: "amd64", Variant: "v3"}, {OS: "linux", Architecture: "amd64"}}},
		{"with an attestation", []v1.Platform{{OS: "unknown", Architecture: "unknown"}, {OS: "linux", Architecture: "amd64"}}},
	} {
		index := v1.ImageIndex(empty.Index)
		for n, p := range c.platforms {
			image := other
			if n == len(c.platforms)-1 {
				image = mine
			}
			index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &p}})
		}
		flat := t.TempDir()
		must(layout.Write(flat, index))
		nested := t.TempDir()
		if err := must(layout.Write(nested, empty.Index)).AppendIndex(index); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{flat, nested} {
			i, err := pull(t.Context(), testStore(t), "oci:"+dir, "a", nil)
			if err != nil || i.SourceDigest != must(mine.Digest()).String() {
				t.Errorf("%s: %s, %v", c.what, i.SourceDigest, err)
			}
		}
	}
}

// rename replaces a text in the blobs of a layout, and the digests of what was
// changed up to index.json.
func rename(t *testing.T, dir, from, to string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(data, []byte(from)) {
			return err
		}
		was := filepath.Base(path)
		data = bytes.ReplaceAll(data, []byte(from), []byte(to))
		if err := os.WriteFile(path, data, 0o600); err != nil || len(was) != 64 {
			return err
		}
		now := fmt.Sprintf("%x", sha256.Sum256(data))
		if err := os.Rename(path, filepath.Join(filepath.Dir(path), now)); err != nil {
			return err
		}
		rename(t, dir, was, now)
		return fs.SkipAll
	})
	if err != nil {
		t.Fatal(err)
	}
}

func blobOf(dir string, h v1.Hash) string { return filepath.Join(dir, "blobs", "sha256", h.Hex) }

func TestPullOCIRefuses(t *testing.T) {
	layers := smallLayers(t)
	image := imageOf(layers...)
	manifest := must(image.Manifest())
	layout := func(t *testing.T) string { return writeLayout(t, map[string]v1.Image{"v1": image}) }
	damage := func(t *testing.T, h v1.Hash) string {
		dir := layout(t)
		data := must(os.ReadFile(blobOf(dir, h)))
		data[len(data)/2] ^= 1
		if err := os.WriteFile(blobOf(dir, h), data, 0o600); err != nil {
			t.Fatal(err)
		}
		return "oci:" + dir
	}
	withText := func(from, to string) func(*testing.T) string {
		return func(t *testing.T) string {
			dir := layout(t)
			rename(t, dir, from, to)
			return "oci:" + dir
		}
	}
	inFile := func(data []byte) func(*testing.T) string {
		return func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "x.tar")
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}
	}
	oneLayer := func(data []byte) func(*testing.T) string {
		return func(t *testing.T) string {
			return "oci:" + writeLayout(t, map[string]v1.Image{"v1": imageOf(layers[0], data)})
		}
	}
	digest := func(n int) string { return manifest.Layers[n].Digest.String() }
	for what, c := range map[string]struct {
		source func(*testing.T) string
		want   string
	}{
		"no directory": {func(*testing.T) string { return "oci:/no/where" }, "no such file or directory"},
		"no layout":    {func(t *testing.T) string { return "oci:" + t.TempDir() }, "it is no OCI layout: index.json: no such file or directory"},
		"no such tag":  {func(t *testing.T) string { return "oci:" + layout(t) + ":v2" }, `it has no image with the tag "v2" (it has v1)`},
		"several images": {func(t *testing.T) string {
			return "oci:" + writeLayout(t, map[string]v1.Image{"b": image, "a": imageOf(layers[0])})
		}, "it holds several images: name one by its tag (a, b)"},
		"no image":         {func(t *testing.T) string { return "oci:" + writeLayout(t, nil) }, "it holds no image"},
		"damaged layer":    {func(t *testing.T) string { return damage(t, manifest.Layers[1].Digest) }, "layer " + digest(1) + ": digest mismatch: " + digest(1) + " is expected"},
		"damaged config":   {func(t *testing.T) string { return damage(t, manifest.Config.Digest) }, "digest mismatch: " + manifest.Config.Digest.String()},
		"damaged manifest": {func(t *testing.T) string { return damage(t, must(image.Digest())) }, "digest mismatch: " + must(image.Digest()).String()},
		"lost layer": {func(t *testing.T) string {
			dir := layout(t)
			os.Remove(blobOf(dir, manifest.Layers[2].Digest))
			return "oci:" + dir
		}, digest(2) + ": no such file or directory"},
		"a manifest of another type": {withText(string(types.OCIManifestSchema1), "application/vnd.example.thing+json"), `its manifest is of type "application/vnd.example.thing+json", which is no image`},
		"Docker's schema 1":          {withText(string(types.OCIManifestSchema1), string(types.DockerManifestSchema1)), "schema 1"},
		"an artifact":                {withText(string(types.OCIConfigJSON), "application/vnd.cncf.helm.config.v1+json"), "it is no container image"},
		"a layer of another type":    {withText(string(types.OCILayerZStd), "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"), "is of type"},
		"another architecture":       {withText(`"architecture":"amd64"`, `"architecture":"arm64"`), "it is for linux/arm64: this machine needs linux/amd64"},
		"another system":             {withText(`"os":"linux"`, `"os":"windows"`), "it is for windows/amd64"},
		"another diff id":            {withText(must(must(image.Layers())[0].DiffID()).Hex, strings.Repeat("ab", 32)), "layer " + digest(0) + ": digest mismatch: sha256:abab"},
		"a diff id too few":          {withText(`"`+must(must(image.Layers())[0].DiffID()).String()+`",`, ""), "its manifest has 3 layers and its configuration 2"},
		"no JSON": {func(t *testing.T) string {
			d := layout(t)
			os.WriteFile(d+"/index.json", []byte("<html>"), 0o600)
			return "oci:" + d
		}, "read index.json: "},
		"a layer that is no tar": {oneLayer([]byte("hello")), "truncated, or not a tar"},
		"a truncated layer":      {oneLayer(layers[0][:1060]), "truncated in or after entry"},
		"a way out of the root":  {oneLayer(makeTar(t, file("a/../../x", ""))), `has ".." in it`},
		"a name over 255 bytes":  {oneLayer(makeTar(t, file("a/"+strings.Repeat("n", 256), ""))), "256 bytes"},
		"a link to nothing":      {oneLayer(makeTar(t, item{kind: tar.TypeLink, name: "a", target: "b"})), `hard link "a": there is no file "b"`},
		"another machine's programs": {func(t *testing.T) string {
			return "oci:" + writeLayout(t, map[string]v1.Image{"v1": imageOf(makeTar(t, file("bin/sh", elfFor(aarch64))))})
		}, "bin/sh is a program for aarch64"},
		"no archive":              {func(t *testing.T) string { return "oci-archive:" + inFile([]byte("hello"))(t) }, "it is truncated, or not a tar"},
		"a compressed archive":    {func(t *testing.T) string { return "docker-archive:" + inFile([]byte("\x1f\x8b\x08xxxxxxxx"))(t) }, "decompress gzip: "},
		"a truncated archive":     {func(t *testing.T) string { return "docker-archive:" + inFile(zipped(t, layers[0])[:200])(t) }, "it is truncated"},
		"a tar of something else": {func(t *testing.T) string { return "docker-archive:" + inFile(layers[0])(t) }, "docker save did not write it: manifest.json: "},
		"an archive of an old docker": {func(t *testing.T) string {
			return "docker-archive:" + inFile(makeTar(t, file("repositories", "{}")))(t)
		}, "it was written before Docker 1.10"},
		"another tool's archive": {func(t *testing.T) string {
			return "oci-archive:" + inFile(makeTar(t, file("manifest.json", "[]")))(t)
		}, "pull an archive like that as docker-archive:FILE"},
		"an archive of a layout": {func(t *testing.T) string {
			return "docker-archive:" + inFile(makeTar(t, file("index.json", "{}")))(t)
		}, "pull it as oci-archive:FILE"},
		"a layout's directory":         {func(t *testing.T) string { return "dir:" + layout(t) }, "pull it as oci:DIR"},
		"an archive that is no layout": {func(t *testing.T) string { return "oci-archive:" + inFile(layers[0])(t) }, "it is no OCI layout: index.json: "},
		"an archive's lost layer": {func(t *testing.T) string {
			config := must(imageOf(layers[0]).RawConfigFile())
			return "docker-archive:" + inFile(makeTar(t, file("c.json", string(config)), file("manifest.json", `[{"Config":"c.json","Layers":["l.tar"]}]`)))(t)
		}, "layer l.tar: file does not exist"},
		"an archive's other layer": {func(t *testing.T) string {
			config := must(imageOf(layers[0]).RawConfigFile())
			return "docker-archive:" + inFile(makeTar(t, file("c.json", string(config)), file("l.tar", string(layers[1])), file("manifest.json", `[{"Config":"c.json","Layers":["l.tar"]}]`)))(t)
		}, "layer l.tar: digest mismatch"},
	} {
		t.Run(what, func(t *testing.T) {
			s := testStore(t)
			source := c.source(t)
			_, err := pull(t.Context(), s, source, "a", nil)
			if err == nil || !strings.HasPrefix(err.Error(), "pull "+source+": ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			} else if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
			checkEmpty(t, s)
		})
	}
}

func TestPullNoPlatform(t *testing.T) {
	index := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: imageOf(smallLayers(t)...), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "s390x"}}},
		mutate.IndexAddendum{Add: imageOf(smallLayers(t)[0]), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}}})
	dir := t.TempDir()
	must(layout.Write(dir, index))
	_, err := pull(t.Context(), testStore(t), "oci:"+dir, "a", nil)
	if want := "it has no image for linux/amd64 (it has linux/arm64, linux/s390x)"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestSplitTag(t *testing.T) {
	dir := t.TempDir()
	odd := filepath.Join(dir, "a:b")
	os.Mkdir(odd, 0o700)
	for text, want := range map[string][2]string{
		dir:                 {dir, ""},
		dir + ":v1":         {dir, "v1"},
		odd:                 {odd, ""},
		odd + ":v1":         {odd, "v1"},
		"no/where":          {"no/where", ""},
		"no/where:v1":       {"no/where:v1", ""},
		dir + ":org/app:v1": {dir, "org/app:v1"},
		dir + ":@2":         {dir, "@2"},
		dir + "@sha256:ab":  {dir, "@sha256:ab"},
		dir + ":@sha256:ab": {dir, "@sha256:ab"},
		"-@sha256:ab":       {"-", "@sha256:ab"},
		"-:v1":              {"-", "v1"},
	} {
		if path, tag := splitTag(text); path != want[0] || tag != want[1] {
			t.Errorf("splitTag(%q) = %q, %q; want %q", text, path, tag, want)
		}
	}
}
