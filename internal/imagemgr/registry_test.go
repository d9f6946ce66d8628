package imagemgr

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"banger/internal/digest"
	"banger/internal/ref"
	"banger/internal/registry"
)

// quick is a test store that does not wait before it tries again.
func quick(t *testing.T) *Store {
	s := testStore(t)
	s.backoff = time.Microsecond
	s.sleep = func(context.Context, time.Duration) error { return nil }
	return s
}

// isLayer reports whether a request is for a blob other than the configuration.
func isLayer(r *http.Request, image v1.Image) bool {
	config := must(image.ConfigName()).Hex
	return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") && !strings.HasSuffix(r.URL.Path, config)
}

// Layers that were fetched once are not fetched again, for no image.
func TestRegistryBlobsAreShared(t *testing.T) {
	layers := smallLayers(t)
	image := imageOf(layers...)
	var fetched atomic.Int32
	count := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if isLayer(r, image) {
				fetched.Add(1)
			}
			h.ServeHTTP(w, r)
		})
	}
	reference := serve(t, image, count)
	s := testStore(t)
	for _, name := range []string{"a", "b"} {
		if _, err := pull(t.Context(), s, reference, name, nil); err != nil {
			t.Fatal(err)
		}
	}
	if fetched.Load() != 3 {
		t.Errorf("%d layers were fetched, want 3", fetched.Load())
	}
	if names, _ := s.blobs.Names(); len(names) != 4 {
		t.Errorf("%d blobs are cached, want 4", len(names))
	}
}

func TestRegistryByDigest(t *testing.T) {
	image := imageOf(smallLayers(t)...)
	sum := must(image.Digest()).String()
	reference := strings.TrimSuffix(serve(t, image, nil), ":v1")
	i, err := pull(t.Context(), testStore(t), "docker://"+reference+"@"+sum, "a", nil)
	if err != nil || i.SourceDigest != sum || i.Source != reference+"@"+sum {
		t.Errorf("got %+v, %v", i, err)
	}
	// A registry that gives another manifest than asked for is not believed.
	other := must(imageOf(smallLayers(t)[0]).RawManifest())
	lying := serve(t, image, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/manifests/") {
				w.Write(other)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	_, err = pull(t.Context(), testStore(t), strings.TrimSuffix(lying, ":v1")+"@"+sum, "a", nil)
	if e, ok := errors.AsType[*digest.Error](err); !ok || e.Want != sum {
		t.Errorf("got %v", err)
	}
}

// cutter breaks off answers for layers after some bytes.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(p []byte) (int, error) {
	if len(p) >= c.left {
		c.ResponseWriter.Write(p[:c.left])
		http.NewResponseController(c.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

// A connection that is dropped in the middle of a layer is taken up where it
// ended, or from the start where the registry knows no ranges.
func TestRegistryDropsTheConnection(t *testing.T) {
	big := file("big", strings.Repeat("not all of it is compressed well ", 100))
	image := withLayers(layerOf(types.OCIUncompressedLayer, makeTar(t, append(smallRootfs, big)...)))
	size := must(must(image.Layers())[0].Size())
	for _, ranges := range []bool{true, false} {
		var mu sync.Mutex
		var sent int64
		var asked []string
		reference := serve(t, image, func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !isLayer(r, image) {
					h.ServeHTTP(w, r)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				asked = append(asked, r.Header.Get("Range"))
				left := 1000
				if !ranges {
					left = 3000 * len(asked)
					r.Header.Del("Range")
				}
				sent += int64(left)
				h.ServeHTTP(&cutter{w, left}, r)
			})
		})
		s := quick(t)
		if _, err := pull(t.Context(), s, reference, "a", nil); err != nil {
			t.Errorf("ranges %v: %v", ranges, err)
			continue
		}
		offset := 1
		if !ranges {
			offset = 3
		}
		if want := fmt.Sprintf("bytes=%d-%d", 1000*offset, size-1); len(asked) < 2 || asked[0] != "" || asked[1] != want {
			t.Errorf("ranges %v: asked for %q, want %q second", ranges, asked, want)
		}
		fsck(t, s.Rootfs("a"))
	}
}

func TestRegistryFaults(t *testing.T) {
	image := imageOf(smallLayers(t)...)
	onLayer := func(answer http.HandlerFunc) func(http.Handler) http.Handler {
		return func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if isLayer(r, image) {
					answer(w, r)
					return
				}
				h.ServeHTTP(w, r)
			})
		}
	}
	always := func(answer http.HandlerFunc) func(http.Handler) http.Handler {
		return func(http.Handler) http.Handler { return answer }
	}
	status := func(code int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for n := 0; n < len(header); n += 2 {
				w.Header().Set(header[n], header[n+1])
			}
			w.WriteHeader(code)
		}
	}
	basic := `Basic realm="r"`
	for what, c := range map[string]struct {
		wrap func(http.Handler) http.Handler
		want string
	}{
		"login needed":       {always(status(401, "WWW-Authenticate", basic)), " does not give access to org/app: there is no such repository, or it needs docker login 127.0.0.1:"},
		"forbidden":          {onLayer(status(403)), "does not give access to org/app"},
		"limited":            {always(status(429, "Retry-After", "90")), " limits the number of requests: try again in 1m30s"},
		"limited at a layer": {onLayer(status(429)), " limits the number of requests: try again later"},
		"no such tag":        {func(http.Handler) http.Handler { return status404{} }, " has no manifests/v1 in org/app"},
		"a lost layer":       {onLayer(status(404)), " has no blobs/sha256:"},
		"broken":             {onLayer(status(500)), "the registry answers 500 Internal Server Error"},
		"no bytes ever":      {onLayer(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), " drops the connection"},
		"another layer":      {onLayer(longText), "digest mismatch: "},
		"a web page":         {always(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) }), "read the manifest: "},
		"a part that is another": {onLayer(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 7-8/9")
			w.WriteHeader(http.StatusPartialContent)
		}), "the registry answers 206"},
	} {
		t.Run(what, func(t *testing.T) {
			s := quick(t)
			_, err := pull(t.Context(), s, serve(t, image, c.wrap), "a", nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want %q", err, c.want)
			}
			checkEmpty(t, s)
			for _, e := range must(os.ReadDir(mkdir(s.blobs.Dir))) {
				if strings.HasPrefix(e.Name(), ".") {
					t.Errorf("the cache is left with %s", e.Name())
				}
			}
		})
	}
}

func mkdir(dir string) string {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		panic(err)
	}
	return dir
}

// status404 is a registry with nothing in it.
type status404 struct{}

func (status404) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/v2/" {
		w.WriteHeader(http.StatusNotFound)
	}
}

func longText(w http.ResponseWriter, _ *http.Request) {
	w.Write([]byte(strings.Repeat("x", 1<<20)))
}

func TestRegistryOutOfReach(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	_, err := pull(t.Context(), testStore(t), host+"/a/b", "a", nil)
	if err == nil || !strings.Contains(err.Error(), "reach "+host+": ") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v", err)
	}
	_, err = pull(t.Context(), testStore(t), "docker.io/Upper/Case", "a", nil)
	if err == nil || !strings.Contains(err.Error(), "it is no reference to an image in a registry") {
		t.Errorf("got %v", err)
	}
}

// The credentials that docker login stored are used.
func TestRegistryCredentials(t *testing.T) {
	image := imageOf(smallLayers(t)...)
	reference := serve(t, image, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if user, password, _ := r.BasicAuth(); user != "me" || password != "secret" {
				w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	host, _, _ := strings.Cut(reference, "/")
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("DOCKER_CONFIG", dir)
	_, err := pull(t.Context(), testStore(t), reference, "a", nil)
	if e, ok := errors.AsType[*registry.AccessError](err); !ok || e.Registry != host || e.Repository != "org/app" {
		t.Errorf("without credentials: %v", err)
	}
	config := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, base64.StdEncoding.EncodeToString([]byte("me:secret")))
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pull(t.Context(), testStore(t), reference, "a", nil); err != nil {
		t.Errorf("with credentials: %v", err)
	}
}

func TestRegistryInterrupted(t *testing.T) {
	image := imageOf(smallLayers(t)...)
	ctx, cancel := context.WithCancel(t.Context())
	reference := serve(t, image, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if isLayer(r, image) {
				cancel()
				<-r.Context().Done()
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	s := testStore(t)
	if _, err := pull(ctx, s, reference, "a", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	checkEmpty(t, s)
}

func TestRegistryFullDisk(t *testing.T) {
	big := makeTar(t, file("big", strings.Repeat("x", 4<<20)))
	image := withLayers(layerOf(types.OCIUncompressedLayer, big))
	s := quick(t)
	smallDisk(t, s.blobs.Dir, "1m")
	_, err := pull(t.Context(), s, serve(t, image, nil), "a", nil)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), ": write the cache: no space left on device: ") {
		t.Errorf("got %v", err)
	}
	packed := withLayers(layerOf(types.OCILayer, big))
	s = testStore(t)
	smallDisk(t, s.tree.Dir, "1m")
	_, err = pull(t.Context(), s, serve(t, packed, nil), "a", nil)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), ": no space left on device: ") {
		t.Errorf("got %v", err)
	}
	checkEmpty(t, s)
}

func TestRegistryProgress(t *testing.T) {
	image := imageOf(smallLayers(t)...)
	var total int64
	for _, l := range must(image.Layers()) {
		total += must(l.Size())
	}
	last := map[string]string{}
	_, err := testStore(t).Pull(t.Context(), PullOptions{
		Source: ref.Source{Transport: ref.Registry, Rest: serve(t, image, nil)}, Name: "a",
		Progress: func(step string, done, total int64) { last[step] = fmt.Sprintf("%d/%d", done, total) },
	})
	if want := fmt.Sprintf("%d/%d", total, total); err != nil || last["fetch"] != want {
		t.Errorf("fetched %s, want %s (%v)", last["fetch"], want, err)
	}
	if last["write"] == "" {
		t.Error("nothing was said of writing")
	}
}
