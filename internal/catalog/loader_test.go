package catalog

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"aead.dev/minisign"

	"banger/internal/fetch"
	"banger/internal/statedir"
)

// server serves files that can be changed, and counts what it is asked for.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	files    map[string][]byte
	requests int
}

func serve(t *testing.T) *server {
	t.Helper()
	s := &server{files: map[string][]byte{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	data, ok := s.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", http.DetectContentType(data))
	w.Write(data)
}

// put serves data as /c.json, signed by key.
func (s *server) put(data []byte, key minisign.PrivateKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files["/c.json"], s.files["/c.json.minisig"] = data, minisign.Sign(key, data)
}

func keys(t *testing.T) (public string, private minisign.PrivateKey) {
	t.Helper()
	key, private, err := minisign.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key.String(), private
}

func testLoader(t *testing.T) *Loader {
	return &Loader{
		Cache: statedir.Dirs{Cache: t.TempDir()}.CatalogTree(),
		Fetch: fetch.Options{
			Transport: http.DefaultTransport.(*http.Transport).Clone(),
			Sleep:     func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		},
	}
}

func parseItems(data []byte) (int64, error) {
	c, err := Parse[item](data, false)
	if err != nil {
		return 0, err
	}
	return c.Serial, nil
}

// fill puts a first catalog on a server and into the loader's cache.
func fill(t *testing.T) (l *Loader, s *server, at Location, private minisign.PrivateKey, data []byte) {
	t.Helper()
	l, s = testLoader(t), serve(t)
	public, private := keys(t)
	at = Location{Name: "ours", At: s.URL + "/c.json", PublicKey: public}
	data = encoded(t, 5, entry("a"))
	s.put(data, private)
	got, err := l.Load(t.Context(), at, parseItems)
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("got %s, %v", got, err)
	}
	return l, s, at, private, data
}

func TestLoadAsksOnce(t *testing.T) {
	l, s, at, private, data := fill(t)
	s.put(encoded(t, 6), private)
	got, err := l.Load(t.Context(), at, parseItems)
	if err != nil || !bytes.Equal(got, data) || s.requests != 2 {
		t.Errorf("got %s, %v after %d requests", got, err, s.requests)
	}
	s.Close()
	if got, err := l.Load(t.Context(), at, parseItems); err != nil || !bytes.Equal(got, data) {
		t.Errorf("offline: got %s, %v", got, err)
	}
}

func TestRefresh(t *testing.T) {
	l, s, at, private, _ := fill(t)
	for _, next := range [][]byte{encoded(t, 6, entry("b")), encoded(t, 6, entry("c"))} { // the same serial is not older
		s.put(next, private)
		got, err := l.Refresh(t.Context(), at, parseItems)
		if err != nil || !bytes.Equal(got, next) {
			t.Errorf("got %s, %v", got, err)
		}
		if got, err := l.Load(t.Context(), at, parseItems); err != nil || !bytes.Equal(got, next) {
			t.Errorf("afterwards: got %s, %v", got, err)
		}
	}
}

// Whatever is wrong with what a server has, what was fetched before stays.
func TestRefreshRefuses(t *testing.T) {
	_, stranger := keys(t)
	tests := map[string]struct {
		change func(t *testing.T, s *server, private minisign.PrivateKey)
		want   string
	}{
		"rollback": {func(t *testing.T, s *server, private minisign.PrivateKey) {
			s.put(encoded(t, 4), private)
		}, "older than what was there before: its serial is 4, and was 5"},
		"no serial": {func(t *testing.T, s *server, private minisign.PrivateKey) {
			s.put(encoded(t, 0), private)
		}, "its serial is 0, and was 5"},
		"stranger": {func(t *testing.T, s *server, _ minisign.PrivateKey) {
			s.put(encoded(t, 6), stranger)
		}, "does not carry the signature of the key"},
		"changed": {func(t *testing.T, s *server, _ minisign.PrivateKey) {
			s.files["/c.json"] = encoded(t, 6)
		}, "does not carry the signature of the key"},
		"no signature": {func(_ *testing.T, s *server, _ minisign.PrivateKey) {
			s.files["/c.json.minisig"] = []byte("untrusted comment: none\n")
		}, "does not carry the signature of the key"},
		"unsigned": {func(_ *testing.T, s *server, _ minisign.PrivateKey) {
			delete(s.files, "/c.json.minisig")
		}, "it is not signed: "},
		"large signature": {func(_ *testing.T, s *server, _ minisign.PrivateKey) {
			s.files["/c.json.minisig"] = make([]byte, 1<<20)
		}, "c.json.minisig is larger than 8 KiB"},
		"large": {func(_ *testing.T, s *server, private minisign.PrivateKey) {
			s.put(make([]byte, MaxSize+1), private)
		}, "c.json is larger than 4096 KiB"},
		"gone": {func(_ *testing.T, s *server, _ minisign.PrivateKey) {
			delete(s.files, "/c.json")
		}, "404 Not Found"},
		"web page": {func(_ *testing.T, s *server, private minisign.PrivateKey) {
			s.put([]byte("<!DOCTYPE html>"), private)
		}, "a web page"},
		"not valid": {func(t *testing.T, s *server, private minisign.PrivateKey) {
			s.put(encoded(t, 6, entry("b"), entry("a")), private)
		}, "a is not in its place"},
		"no server": {func(_ *testing.T, s *server, _ minisign.PrivateKey) { s.Close() }, "connection refused"},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			l, s, at, private, data := fill(t)
			test.change(t, s, private)
			_, err := l.Refresh(t.Context(), at, parseItems)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), `catalog "ours": `) {
				t.Errorf("got %v, want ... %s", err, test.want)
			}
			if got, err := l.Load(t.Context(), at, parseItems); err != nil || !bytes.Equal(got, data) {
				t.Errorf("afterwards: got %s, %v", got, err)
			}
		})
	}
}

// What is in the cache is trusted no more than what comes from the network.
func TestCacheIsVerified(t *testing.T) {
	l, s, at, private, _ := fill(t)
	files, err := filepath.Glob(filepath.Join(l.Cache.Dir, "*", statedir.Catalog))
	if err != nil || len(files) != 1 {
		t.Fatalf("cached %q, %v", files, err)
	}
	if err := os.WriteFile(files[0], encoded(t, 9), 0o600); err != nil {
		t.Fatal(err)
	}
	next := encoded(t, 3)
	s.put(next, private)
	if got, err := l.Load(t.Context(), at, parseItems); err != nil || !bytes.Equal(got, next) {
		t.Errorf("a changed cache: got %s, %v", got, err)
	}
	other, private := keys(t)
	at.PublicKey = other
	if _, err := l.Load(t.Context(), at, parseItems); err == nil || !strings.Contains(err.Error(), "does not carry the signature") {
		t.Errorf("another key: %v", err)
	}
	s.put(next, private)
	if _, err := l.Load(t.Context(), at, parseItems); err != nil {
		t.Errorf("signed by that: %v", err)
	}
	at.PublicKey = ""
	if _, err := l.Load(t.Context(), at, parseItems); err == nil || !strings.Contains(err.Error(), "needs the minisign public_key") {
		t.Errorf("no key: %v", err)
	}
}

func TestLoadInsecure(t *testing.T) {
	l, s := testLoader(t), serve(t)
	data := encoded(t, 0, entry("a"))
	s.files["/c.json"] = data
	at := Location{Name: "lab", At: s.URL + "/c.json", Insecure: true}
	for range 2 {
		if got, err := l.Load(t.Context(), at, parseItems); err != nil || !bytes.Equal(got, data) || s.requests != 1 {
			t.Errorf("got %s, %v after %d requests", got, err, s.requests)
		}
	}
	public, _ := keys(t) // then a signature counts, insecure or not
	at.PublicKey = public
	if _, err := l.Load(t.Context(), at, parseItems); err == nil || !strings.Contains(err.Error(), "it is not signed") {
		t.Errorf("got %v", err)
	}
}

func TestLoadLocal(t *testing.T) {
	l, path := testLoader(t), filepath.Join(t.TempDir(), "c.json")
	at := Location{Name: "here", At: path}
	if _, err := l.Load(t.Context(), at, parseItems); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	for _, data := range [][]byte{encoded(t, 5, entry("a")), encoded(t, 4)} { // its owner may do what they like
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := l.Load(t.Context(), at, parseItems); err != nil || !bytes.Equal(got, data) {
			t.Errorf("got %s, %v", got, err)
		}
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Load(t.Context(), at, parseItems); err == nil || !strings.Contains(err.Error(), "unexpected EOF") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(l.Cache.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a local catalog was cached: %v", err)
	}
}

// Of several refreshes at once none puts an older catalog in a newer one's
// place.
func TestRefreshAtOnce(t *testing.T) {
	l, s, at, private, _ := fill(t)
	var all sync.WaitGroup
	for serial := int64(6); serial < 16; serial++ {
		data := encoded(t, serial)
		signature := minisign.Sign(private, data)
		s.mu.Lock()
		s.files["/c.json"], s.files["/c.json.minisig"] = data, signature
		s.mu.Unlock()
		all.Go(func() { l.Refresh(t.Context(), at, parseItems) })
	}
	all.Wait()
	if _, err := l.Refresh(t.Context(), at, parseItems); err != nil {
		t.Fatal(err)
	}
	data, err := l.Load(t.Context(), at, parseItems)
	if serial, _ := parseItems(data); err != nil || serial != 15 {
		t.Errorf("serial %d, %v", serial, err)
	}
	names, err := os.ReadDir(l.Cache.Dir)
	if err != nil || len(names) != 1 {
		t.Errorf("the cache holds %v, %v", names, err)
	}
}

func TestLoadEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer hang.Close()
	at := Location{Name: "slow", At: hang.URL, Insecure: true}
	if _, err := testLoader(t).Load(ctx, at, parseItems); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
