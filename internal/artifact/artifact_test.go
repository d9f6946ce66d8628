package artifact

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	inmemory "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"banger/internal/digest"
	"banger/internal/registry"
)

// serve runs a registry, behind wrap where that is not nil, and returns its host.
func serve(t *testing.T, wrap func(http.Handler) http.Handler) string {
	t.Helper()
	h := inmemory.New(inmemory.Logger(log.New(io.Discard, "", 0)))
	if wrap != nil {
		h = wrap(h)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// bundleOf is a bundle with the content.
func bundleOf(t *testing.T, content string) Bundle {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bundle")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return Bundle{
		Config: map[string]string{"name": "mine"}, Path: path, Name: "mine.tar.zst",
		SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(content))), Size: int64(len(content)),
	}
}

func push(t *testing.T, reference string, kind Kind, content string) string {
	t.Helper()
	pinned, err := Push(t.Context(), Options{Reference: reference, Kind: kind}, bundleOf(t, content), nil)
	if err != nil {
		t.Fatal(err)
	}
	return pinned
}

// read gets what was found, as a pull does.
func read(t *testing.T, f Found) string {
	t.Helper()
	resp, err := (&http.Client{Transport: f.Transport}).Get(f.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestPushAndFind(t *testing.T) {
	at := Scheme + serve(t, nil) + "/org/mine:v1"
	var last int64
	pinned, err := Push(t.Context(), Options{Reference: at, Kind: Kernel}, bundleOf(t, "a kernel"), func(done, _ int64) { last = done })
	if err != nil || CheckPinned(pinned) != nil {
		t.Fatalf("got %q, %v", pinned, err)
	}
	if last < int64(len("a kernel")) {
		t.Errorf("it was told of %d bytes", last)
	}
	for _, reference := range []string{at, pinned} {
		f, err := Find(t.Context(), Options{Reference: reference, Kind: Kernel})
		if err != nil {
			t.Fatal(err)
		}
		if f.Reference != pinned || string(f.Config) != `{"name":"mine"}` || f.Size != 8 || read(t, f) != "a kernel" {
			t.Errorf("%s: got %+v", reference, f)
		}
	}
	if again := push(t, at, Kernel, "a kernel"); again != pinned {
		t.Errorf("pushed again it is %s, not %s", again, pinned)
	}
}

// What is pushed is what artifacts are to other tools.
// A registry may ask at any moment who it is, also where the request has a body.
func TestPushLogsIn(t *testing.T) {
	var tokens int
	at := Scheme + serve(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch good := fmt.Sprintf("Bearer %d", tokens); {
			case r.URL.Path == "/token" && strings.Contains(r.URL.Query().Get("scope"), "push"):
				tokens++
				fmt.Fprintf(w, `{"token": "%d"}`, tokens)
			case r.URL.Path != "/v2/" && (r.Header.Get("Authorization") != good || strings.Contains(r.URL.Path, "/manifests/") && r.Method == http.MethodPut && tokens < 2):
				io.Copy(io.Discard, r.Body)
				w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token"`)
				w.WriteHeader(http.StatusUnauthorized)
			default:
				h.ServeHTTP(w, r)
			}
		})
	}) + "/org/mine:v1"
	if push(t, at, Kernel, "a kernel"); tokens != 2 {
		t.Errorf("it asked for %d tokens", tokens)
	}
}

func TestManifest(t *testing.T) {
	p, err := newPushed(Image, bundleOf(t, "an image"))
	if err != nil {
		t.Fatal(err)
	}
	var got, want bytes.Buffer
	if err := json.Indent(&got, p.manifest, "", "  "); err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	want.Write(bytes.TrimSpace(golden))
	if got.String() != want.String() {
		t.Errorf("got\n%s", got.String())
	}
}

func TestFindRefuses(t *testing.T) {
	host := serve(t, nil)
	push(t, Scheme+host+"/a:image", Image, "an image")
	image, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(host + "/a:container")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	for tag, want := range map[string]string{
		"image":     "it is a bundle of a banger image, and no kernel",
		"container": "it is no bundle of banger's: its configuration is of type",
		"absent":    "has no manifests/absent in a",
	} {
		_, err := Find(t.Context(), Options{Reference: Scheme + host + "/a:" + tag, Kind: Kernel})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want ... %s", tag, err, want)
		}
	}
	if _, err := Find(t.Context(), Options{Reference: Scheme + host + "/UPPER"}); err == nil {
		t.Error("a reference that is none was taken")
	}
}

// A registry gives other bytes than it was asked for.
func TestFindOfLiars(t *testing.T) {
	for what, lie := range map[string]string{"manifest": "/manifests/", "configuration": "/blobs/"} {
		var lying bool
		host := serve(t, func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if lying && strings.Contains(r.URL.Path, lie) {
					w.Write([]byte(`{"schemaVersion":2}`))
					return
				}
				h.ServeHTTP(w, r)
			})
		})
		pinned := push(t, Scheme+host+"/a:v1", Kernel, "a kernel")
		lying = true
		if _, err := Find(t.Context(), Options{Reference: pinned}); !errors.As(err, new(*digest.Error)) {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

func TestPushIsDenied(t *testing.T) {
	host := serve(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	_, err := Push(t.Context(), Options{Reference: Scheme + host + "/a:v1", Kind: Kernel}, bundleOf(t, "a kernel"), nil)
	if !errors.As(err, new(*registry.AccessError)) {
		t.Errorf("got %v", err)
	}
}

func TestCheckPinned(t *testing.T) {
	sum := "@sha256:" + strings.Repeat("0a", 32)
	for text, good := range map[string]bool{
		"oci://ghcr.io/org/mine" + sum: true, "oci://ghcr.io/org/mine:v1": false, "ghcr.io/org/mine" + sum: false,
		"oci://mine" + sum: false, "oci://ghcr.io/org/mine@sha256:0a": false, "oci://": false,
	} {
		if err := CheckPinned(text); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	p, err := newPushed(Kernel, Bundle{Config: 1, Name: "x", SHA256: strings.Repeat("0a", 32), Size: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p.manifest)
	f.Add([]byte(`{"config":{"mediaType":"application/vnd.banger.kernel.config.v1+json"},"layers":[null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parse(data, "")
		if err == nil && (len(m.Layers) != 1 || m.Layers[0].Digest.Algorithm != "sha256") {
			t.Errorf("got %+v", m)
		}
	})
}
