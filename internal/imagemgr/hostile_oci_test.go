package imagemgr

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// pile is the blobs of an image, of which everything may be wrong.
type pile map[string][]byte

// add adds a blob and returns what a manifest says of it.
func (p pile) add(kind types.MediaType, data []byte) v1.Descriptor {
	h := hashOf(data)
	p["blobs/sha256/"+h.Hex] = data
	return v1.Descriptor{MediaType: kind, Digest: h, Size: int64(len(data))}
}

func (p pile) addJSON(kind types.MediaType, v any) v1.Descriptor {
	return p.add(kind, must(json.Marshal(v)))
}

// image adds an image of layers, whose diff IDs are those of what they are.
func (p pile) image(change func(*v1.Manifest), layers ...[]byte) v1.Descriptor {
	config := v1.ConfigFile{OS: "linux", Architecture: "amd64"}
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	for _, data := range layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, hashOf(data))
		m.Layers = append(m.Layers, p.add(types.OCIUncompressedLayer, data))
	}
	m.Config = p.addJSON(types.OCIConfigJSON, config)
	if change != nil {
		change(&m)
	}
	return p.addJSON(types.OCIManifestSchema1, m)
}

func (p pile) index(manifests ...v1.Descriptor) {
	p["index.json"] = must(json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: manifests}))
}

// archive writes the pile as a tar.
func (p pile) archive(t testing.TB) string {
	t.Helper()
	var items []item
	for name, data := range p {
		items = append(items, file(name, string(data)))
	}
	path := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(path, makeTar(t, items...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func zipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	w.Write(data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestHostileImages(t *testing.T) {
	base := makeTar(t, smallRootfs...)
	long := []byte(`{"schemaVersion":2,"annotations":{"a":"` + strings.Repeat("x", maxJSON) + `"}}`)
	single := func(change func(*v1.Manifest), layers ...[]byte) func(pile) {
		return func(p pile) { p.index(p.image(change, layers...)) }
	}
	for name, c := range map[string]struct {
		transport string
		make      func(pile)
		want      string
	}{
		"long index":            {"oci-archive", func(p pile) { p["index.json"] = long }, "bytes are too many"},
		"no index":              {"oci-archive", func(p pile) { p["x"] = nil }, "it is no OCI layout"},
		"index of nonsense":     {"oci-archive", func(p pile) { p["index.json"] = []byte("[1]") }, "read index.json"},
		"deep index":            {"oci-archive", func(p pile) { p["index.json"] = bytes.Repeat([]byte(`{"manifests":[`), 100_000) }, "read index.json"},
		"long manifest":         {"oci-archive", func(p pile) { p.index(p.add(types.OCIManifestSchema1, long)) }, "bytes are too many"},
		"long config":           {"oci-archive", single(func(m *v1.Manifest) { m.Config.Size = 1 << 40 }, base), "1099511627776 bytes are too many"},
		"missing blob":          {"oci-archive", single(func(m *v1.Manifest) { m.Layers[0].Digest = hashOf(nil) }, base), "file does not exist"},
		"digest that is a path": {"oci-archive", single(func(m *v1.Manifest) { m.Layers[0].Digest.Hex = "../../../etc/passwd" }, base), "digest"},
		"other digest": {"oci-archive", func(p pile) {
			d := p.image(nil, base)
			p["blobs/sha256/"+hashOf(base).Hex] = append([]byte("x"), base[1:]...)
			p.index(d)
		}, "digest mismatch"},
		"negative layer":   {"oci-archive", single(func(m *v1.Manifest) { m.Layers[0].Size = -1 }, base), "impossible size -1"},
		"layers too large": {"oci-archive", single(func(m *v1.Manifest) { m.Layers[0].Size = 1 << 40 }, base), "its layers have more than 16 MiB"},
		"501 layers":       {"oci-archive", single(nil, slicesOf(501, nil)...), "it has 501 layers"},
		"fewer diff IDs":   {"oci-archive", single(func(m *v1.Manifest) { m.Layers = append(m.Layers, m.Layers[0]) }, base), "its manifest has 2 layers"},
		"layers together":  {"oci-archive", single(nil, slicesOf(3, makeTar(t, file("f", strings.Repeat("x", 7<<20))))...), "its layers have more than"},
		"hidden content": {"oci-archive", func(p pile) {
			big := makeTar(t, file("f", strings.Repeat("\x00", 9<<20)))
			p.index(p.image(func(m *v1.Manifest) {
				for i := range m.Layers {
					m.Layers[i] = p.add(types.OCILayer, zipped(t, big))
				}
			}, big, big))
		}, "it unpacks to more than 16 MiB"},
		"entries together": {"oci-archive", single(nil, slicesOf(3, headers(t, repeat(400, func(i int) tar.Header { return tar.Header{Typeflag: '0', Name: fmt.Sprint(i)} })...))...), "more than 1000 entries"},
		"index of itself": {"oci-archive", func(p pile) {
			d := p.addJSON(types.OCIImageIndex, v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex})
			for range 6 {
				d = p.addJSON(types.OCIImageIndex, v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{d}})
			}
			p.index(d)
		}, "nested too deep"},
		"compressed":           {"oci-archive", nil, "it unpacks to more than 16 MiB"},
		"docker: long":         {"docker-archive", func(p pile) { p["manifest.json"] = long }, "bytes are too many"},
		"docker: nothing":      {"docker-archive", func(p pile) { p["manifest.json"] = []byte("[]") }, "it holds no image"},
		"docker: no config":    {"docker-archive", func(p pile) { p["manifest.json"] = []byte(`[{"Config":"../../etc/passwd"}]`) }, "read the configuration"},
		"docker: many files":   {"docker-archive", func(p pile) { manyFiles(p, maxParts+1) }, "it has more than 65536 files"},
		"docker: not its data": {"docker-archive", func(p pile) { p["manifest.json"] = []byte(`{"a":1}`) }, "read manifest.json"},
	} {
		t.Run(name, func(t *testing.T) {
			s := testStore(t)
			s.Limits = hostileLimits
			p := pile{}
			if c.make != nil {
				c.make(p)
			}
			path := p.archive(t)
			if c.make == nil {
				if err := os.WriteFile(path, zipped(t, makeTar(t, file("f", strings.Repeat("x", 17<<20)))), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			refused(t, s, c.transport+":"+path, nil, c.want)
		})
	}
}

func slicesOf(n int, data []byte) [][]byte {
	var all [][]byte
	for range n {
		all = append(all, data)
	}
	return all
}

func manyFiles(p pile, n int) {
	for i := range n {
		p[fmt.Sprint(i)] = nil
	}
}

// What a registry claims is bounded before it is fetched, and what it sends is.
func TestHostileRegistries(t *testing.T) {
	long := `{"schemaVersion":2,"mediaType":"` + string(types.OCIManifestSchema1) + `","annotations":{"a":"` + strings.Repeat("x", maxJSON) + `"}}`
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		want   string
	}{
		"long manifest": {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, long) }, "has more than 4 MiB"},
		"endless manifest": {func(w http.ResponseWriter, _ *http.Request) {
			for chunk := make([]byte, 1<<20); ; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, "has more than 4 MiB"},
		"indexes without end": {wide, "it leads to more than 32 manifests"},
	} {
		t.Run(name, func(t *testing.T) {
			s := quick(t)
			s.Limits = hostileLimits
			reference := serve(t, imageOf(smallLayers(t)...), func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if !strings.Contains(r.URL.Path, "/manifests/") {
						h.ServeHTTP(w, r)
						return
					}
					c.answer(w, r)
				})
			})
			_, err := pull(t.Context(), s, reference, "a", nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v", err)
			}
			checkEmpty(t, s)
		})
	}
}

// wide answers every question for a manifest with an index of sixteen more, of
// which none says its platform.
func wide(w http.ResponseWriter, r *http.Request) {
	w.Write(wideIndexes[strings.TrimPrefix(r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:], "sha256:")])
}

// wideIndexes are three levels of indexes and an image for another machine, by
// digest, and the uppermost as v1.
var wideIndexes = func() map[string][]byte {
	p := pile{}
	level := []v1.Descriptor{p.addJSON(types.OCIImageIndex, v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{{Digest: hashOf(nil), Platform: &v1.Platform{OS: "linux", Architecture: "s390x"}}}})}
	for depth := range 3 {
		var next []v1.Descriptor
		for i := range maxUnsaid {
			next = append(next, p.addJSON(types.OCIImageIndex, v1.IndexManifest{
				SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: level,
				Annotations: map[string]string{"n": fmt.Sprint(depth, i)},
			}))
		}
		level = next
	}
	all := map[string][]byte{}
	for name, data := range p {
		all[strings.TrimPrefix(name, "blobs/sha256/")] = data
	}
	all["v1"] = p["blobs/sha256/"+level[0].Digest.Hex]
	return all
}()
