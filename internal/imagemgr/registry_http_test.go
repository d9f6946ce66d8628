package imagemgr

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"banger/internal/ref"
)

// waits is what a store was made to wait, and how often.
type waits struct {
	total time.Duration
	n     int
}

func (w *waits) sleep(_ context.Context, d time.Duration) error {
	w.total, w.n = w.total+d, w.n+1
	return nil
}

// A registry is given the time that it asks for, but no more than is sensible.
func TestRegistryRetryAfter(t *testing.T) {
	for _, c := range []struct {
		code     int
		after    string
		refusals int32
		good     bool
		waits    int
		mustSay  string
	}{
		{code: 429, after: "20", refusals: 2, good: true, waits: 2},
		{code: 503, after: "20", refusals: 1, good: true, waits: 1},
		{code: 429, after: "20", refusals: 100, waits: 3, mustSay: "try again in 20s"},
		{code: 429, after: "3600", refusals: 1, mustSay: "try again in 1h0m0s"},
		{code: 429, after: "", refusals: 3, good: true, waits: 3},
		{code: 429, after: "-1", refusals: 100, waits: 3, mustSay: "try again later"},
		{code: 502, refusals: 3, good: true, waits: 3},
		{code: 504, refusals: 100, waits: 3, mustSay: "answers 504 Gateway Timeout"},
		{code: 404, refusals: 1, mustSay: "has no manifests/v1"},
	} {
		s, w := quick(t), &waits{}
		s.sleep = w.sleep
		var seen atomic.Int32
		reference := serve(t, imageOf(smallLayers(t)...), func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "/manifests/") && seen.Add(1) <= c.refusals {
					rw.Header().Set("Retry-After", c.after)
					rw.WriteHeader(c.code)
					return
				}
				h.ServeHTTP(rw, r)
			})
		})
		_, err := pull(t.Context(), s, reference, "a", nil)
		if (err == nil) != c.good || w.n != c.waits || err != nil && !strings.Contains(err.Error(), c.mustSay) {
			t.Errorf("%d after %q: %d waits, %v", c.code, c.after, w.n, err)
		}
	}
}

// Another host that layers are redirected to is not given the registry's
// credentials.
func TestRegistryCredentialsStay(t *testing.T) {
	var leaked, asked atomic.Int32
	var inner http.Handler
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" {
			leaked.Add(1)
		}
		inner.ServeHTTP(w, r)
	}))
	defer other.Close()
	image := imageOf(smallLayers(t)...)
	reference := serve(t, image, func(h http.Handler) http.Handler {
		inner = h
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch user, _, _ := r.BasicAuth(); {
			case user != "me":
				w.Header().Set("WWW-Authenticate", "Basic")
				w.WriteHeader(http.StatusUnauthorized)
			case isLayer(r, image):
				http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
			default:
				h.ServeHTTP(w, r)
			}
		})
	})
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	config := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, strings.Split(reference, "/")[0], base64.StdEncoding.EncodeToString([]byte("me:secret")))
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pull(t.Context(), quick(t), reference, "a", nil); err != nil {
		t.Fatal(err)
	}
	if leaked.Load() != 0 || asked.Load() == 0 {
		t.Errorf("of %d requests elsewhere %d had credentials", asked.Load(), leaked.Load())
	}
}

// ^C ends a pull within a second at every stage of a registry that is silent
// from then on.
func TestRegistrySilentAndCancelled(t *testing.T) {
	image := imageOf(smallLayers(t)...)
	for stage, at := range map[string]func(*http.Request) bool{
		"ping":     func(r *http.Request) bool { return r.URL.Path == "/v2/" },
		"manifest": func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/manifests/") },
		"layer":    func(r *http.Request) bool { return isLayer(r, image) },
	} {
		t.Run(stage, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			var on atomic.Bool
			reference := serve(t, image, func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if on.Load() && at(r) {
						cancel()
						<-r.Context().Done()
						return
					}
					h.ServeHTTP(w, r)
				})
			})
			on.Store(true)
			s := testStore(t)
			src, err := ref.ParseSource(reference)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Pull(ctx, PullOptions{Source: src, Name: "a"}); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			checkEmpty(t, s)
		})
	}
}

// What stands before a registry compresses what nobody wants to be compressed, or
// says of compressed layers that they are.
func TestRegistryEncodes(t *testing.T) {
	image := imageOf(smallLayers(t)...)
	for _, really := range []bool{true, false} {
		reference := serve(t, image, func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !isLayer(r, image) {
					h.ServeHTTP(w, r)
					return
				}
				whole := httptest.NewRecorder()
				h.ServeHTTP(whole, r)
				body := whole.Body.Bytes()
				if really {
					var packed bytes.Buffer
					z := gzip.NewWriter(&packed)
					z.Write(body)
					z.Close()
					body = packed.Bytes()
				}
				w.Header().Set("Content-Encoding", "gzip")
				w.Write(body)
			})
		})
		if _, err := pull(t.Context(), quick(t), reference, "a", nil); err != nil {
			t.Errorf("really: %v: %v", really, err)
		}
	}
}
