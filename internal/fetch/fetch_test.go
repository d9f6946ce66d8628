package fetch

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// server serves content, but lets misbehave answer first; that reports whether
// it did.
type server struct {
	*httptest.Server
	content []byte

	mu       sync.Mutex
	requests []*http.Request
	pauses   []time.Duration
	said     []string
}

func serve(t *testing.T, size int, misbehave func(n int, w http.ResponseWriter, r *http.Request) bool) *server {
	t.Helper()
	s := &server{content: make([]byte, size)}
	rand.Read(s.content)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r)
		n := len(s.requests)
		s.mu.Unlock()
		if misbehave == nil || !misbehave(n, w, r) {
			s.serve(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	if w.Header().Get("ETag") == "" {
		w.Header().Set("ETag", `"one"`)
	}
	http.ServeContent(w, r, "x.tar.zst", time.Time{}, bytes.NewReader(s.content))
}

// options do not sleep; they record.
func (s *server) options() Options {
	return Options{
		Transport: http.DefaultTransport.(*http.Transport).Clone(),
		Say:       func(text string) { s.said = append(s.said, text) },
		Sleep: func(ctx context.Context, d time.Duration) error {
			s.pauses = append(s.pauses, d)
			return ctx.Err()
		},
	}
}

func (s *server) fetch(t *testing.T, o Options) ([]byte, error) {
	t.Helper()
	b, err := Open(context.Background(), s.URL+"/x.tar.zst", o)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	return io.ReadAll(b)
}

// broken sends the file's beginning and then breaks the connection.
func (s *server) broken(w http.ResponseWriter, from, to int) {
	w.Header().Set("ETag", `"one"`)
	w.Header().Set("Content-Length", fmt.Sprint(len(s.content)-from))
	if from > 0 {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(s.content)-1, len(s.content)))
		w.WriteHeader(http.StatusPartialContent)
	}
	w.Write(s.content[from:to])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func TestFetch(t *testing.T) {
	s := serve(t, 1<<20, nil)
	b, err := Open(context.Background(), s.URL, s.options())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	got, err := io.ReadAll(b)
	if err != nil || !bytes.Equal(got, s.content) || b.Size != 1<<20 {
		t.Errorf("%d bytes of %d, %v", len(got), b.Size, err)
	}
	if n, err := b.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %d, %v", n, err)
	}
}

func TestResume(t *testing.T) {
	var s *server
	s = serve(t, 1<<20, func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n < 8 { // more often than Attempts: each brings something
			s.broken(w, (n-1)*100_000, n*100_000)
		}
		return false
	})
	got, err := s.fetch(t, s.options())
	if err != nil || !bytes.Equal(got, s.content) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	for i, r := range s.requests[1:] {
		if want := fmt.Sprintf("bytes=%d-", (i+1)*100_000); r.Header.Get("Range") != want || r.Header.Get("If-Range") != `"one"` {
			t.Errorf("request %d: %v, want %s", i+2, r.Header, want)
		}
	}
	if len(s.said) != 7 || !strings.Contains(s.said[0], "the connection broke after 100000 bytes: unexpected EOF; trying again in ") {
		t.Errorf("said %q", s.said)
	}
}

func TestResumeWhereRangesAreIgnored(t *testing.T) {
	var s *server
	s = serve(t, 300_000, func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n == 1 {
			s.broken(w, 0, 100_000)
		}
		r.Header.Del("Range")
		return false
	})
	got, err := s.fetch(t, s.options())
	if err != nil || !bytes.Equal(got, s.content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// What changed in between is never joined to what came before.
func TestResumeRefuses(t *testing.T) {
	tests := map[string]struct {
		answer func(s *server, w http.ResponseWriter, r *http.Request)
		want   string
	}{
		"changed": {func(s *server, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"two"`)
			s.serve(w, r)
		}, "the file changed"},
		"changed, If-Range ignored": {func(s *server, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"two"`)
			r.Header.Del("If-Range")
			s.serve(w, r)
		}, "the file changed"},
		"length": {func(s *server, w http.ResponseWriter, r *http.Request) {
			s.content = s.content[:200_000]
			s.serve(w, r)
		}, "the file changed"},
		"other part": {func(s *server, w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Range", "bytes=5-")
			s.serve(w, r)
		}, "another part"},
		"shorter": {func(s *server, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		}, "became shorter"},
		"gone": {func(s *server, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusNotFound)
		}, "404 Not Found"},
		"web page": {func(s *server, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<html>")
		}, "a web page"},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			var s *server
			s = serve(t, 300_000, func(n int, w http.ResponseWriter, r *http.Request) bool {
				if n == 1 {
					s.broken(w, 0, 100_000)
				}
				test.answer(s, w, r)
				return true
			})
			got, err := s.fetch(t, s.options())
			if err == nil || !strings.Contains(err.Error(), test.want) || len(got) != 100_000 || len(s.requests) != 2 {
				t.Errorf("%d bytes, %v after %d requests", len(got), err, len(s.requests))
			}
		})
	}
}

func TestRetries(t *testing.T) {
	for _, code := range []int{408, 429, 500, 502, 503, 504} {
		s := serve(t, 100, func(n int, w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Retry-After", "7")
			if n < 3 {
				w.WriteHeader(code)
			}
			return n < 3
		})
		got, err := s.fetch(t, s.options())
		if err != nil || !bytes.Equal(got, s.content) || len(s.pauses) != 2 || s.pauses[0] != 7*time.Second {
			t.Errorf("%d: %d bytes, %v, paused %v", code, len(got), err, s.pauses)
		}
	}
}

func TestGivesUp(t *testing.T) {
	for code, requests := range map[int]int{503: Attempts, 404: 1, 403: 1, 410: 1, 204: 1} {
		s := serve(t, 100, func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(code)
			return true
		})
		_, err := s.fetch(t, s.options())
		var status *StatusError
		if !errors.As(err, &status) || status.Code != code || len(s.requests) != requests {
			t.Errorf("%d: %v after %d requests", code, err, len(s.requests))
		}
		for i, d := range s.pauses {
			if longest := time.Second << i; d < longest/2 || d >= longest {
				t.Errorf("%d: pause %d is %s", code, i, d)
			}
		}
	}
	s := serve(t, 100, nil)
	s.Close()
	if _, err := s.fetch(t, s.options()); err == nil || !strings.Contains(err.Error(), "connection refused") || len(s.pauses) != Attempts-1 {
		t.Errorf("%v after %d pauses", err, len(s.pauses))
	}
}

func TestWebPage(t *testing.T) {
	s := serve(t, 0, func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		io.WriteString(w, "<!DOCTYPE html><html>Log in to the hotel's network</html>")
		return true
	})
	if _, err := s.fetch(t, s.options()); err == nil || !strings.Contains(err.Error(), "sent a web page") || len(s.requests) != 1 {
		t.Errorf("%v after %d requests", err, len(s.requests))
	}
}

func TestStall(t *testing.T) {
	var s *server
	s = serve(t, 300_000, func(n int, w http.ResponseWriter, r *http.Request) bool {
		switch n {
		case 1: // no header
			<-r.Context().Done()
		case 2: // a part of the body
			w.Header().Set("ETag", `"one"`)
			w.Header().Set("Content-Length", fmt.Sprint(len(s.content)))
			w.Write(s.content[:100_000])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		default:
			return false
		}
		return true
	})
	o := s.options()
	o.Stall = 500 * time.Millisecond
	got, err := s.fetch(t, o)
	if err != nil || !bytes.Equal(got, s.content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if len(s.said) < 2 || !strings.Contains(s.said[0], errStalled.Error()) || !strings.Contains(s.said[1], errStalled.Error()) {
		t.Errorf("said %q", s.said)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var s *server
	s = serve(t, 300_000, func(_ int, w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Length", fmt.Sprint(len(s.content)))
		w.Write(s.content[:1000])
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
		return true
	})
	b, err := Open(ctx, s.URL, s.options())
	if err == nil {
		defer b.Close()
		_, err = io.ReadAll(b)
	}
	if !errors.Is(err, context.Canceled) || len(s.requests) != 1 {
		t.Errorf("%v after %d requests", err, len(s.requests))
	}
}

func TestCancelWhileWaiting(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := serve(t, 0, func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	o := s.options()
	o.Sleep = nil
	o.Say = func(string) { cancel() }
	if _, err := Open(ctx, s.URL, o); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestRedirects(t *testing.T) {
	var target string
	plain := serve(t, 100, nil)
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, target, http.StatusFound)
	}))
	defer secure.Close()
	for to, want := range map[string]string{
		plain.URL:             "refused to be redirected from https to http://",
		secure.URL + "/again": "too many redirects",
		"ftp://example.com/x": "refused to be redirected",
		secure.URL + "/%zz":   "invalid URL escape",
	} {
		target = to
		o := plain.options()
		o.Insecure = true
		o.Transport = secure.Client().Transport
		_, err := Open(context.Background(), secure.URL, o)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", to, err)
		}
	}
	if len(plain.requests) > 0 {
		t.Error("followed a redirect away from https")
	}
	moved := serve(t, 0, func(_ int, w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, plain.URL, http.StatusFound)
		return true
	})
	if got, err := moved.fetch(t, moved.options()); err != nil || !bytes.Equal(got, plain.content) {
		t.Errorf("from loopback to loopback: %v", err)
	}
	astray := serve(t, 0, func(_ int, w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, "http://192.0.2.1/x", http.StatusFound)
		return true
	})
	if _, err := astray.fetch(t, astray.options()); err == nil || !strings.Contains(err.Error(), "not encrypted") {
		t.Errorf("from loopback to elsewhere: %v", err)
	}
}

func TestUntrustedServer(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains, rightly
	secure.StartTLS()
	defer secure.Close()
	s := serve(t, 0, nil)
	if _, err := Open(context.Background(), secure.URL, s.options()); err == nil || len(s.pauses) > 0 {
		t.Errorf("%v after %d pauses", err, len(s.pauses))
	}
}

// proxied is what the proxy of TestMain was asked for.
var proxied = make(chan string, 1)

// TestMain sets the proxy's variable, which net/http reads once. It does not
// hold for loopback addresses, and so not for the other tests.
func TestMain(m *testing.M) {
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		proxied <- r.URL.String()
	}))
	os.Setenv("HTTP_PROXY", proxy.URL)
	os.Unsetenv("NO_PROXY")
	os.Unsetenv("no_proxy")
	m.Run()
}

func TestProxy(t *testing.T) {
	const from = "http://kernels.example/x.tar.zst"
	b, err := Open(context.Background(), from, Options{Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	if got := <-proxied; got != from {
		t.Errorf("the proxy was asked for %s", got)
	}
}

func TestCheckURL(t *testing.T) {
	for text, want := range map[string]string{
		"https://kernels.example/x":  "",
		"http://127.0.0.1:80/x":      "",
		"http://[::1]/x":             "",
		"http://localhost:1/x":       "",
		"http://kernels.example/x":   "http://kernels.example/x is not encrypted: only https is fetched",
		"http://127.0.0.1.example/":  "http://127.0.0.1.example/ is not encrypted: only https is fetched",
		"http://u:secret@a.example/": "http://u:xxxxx@a.example/ is not encrypted: only https is fetched",
		"file:///etc/passwd":         `"file:///etc/passwd" is no https URL`,
		"kernels.example/x":          `"kernels.example/x" is no https URL`,
		"https://":                   `"https:" is no https URL`,
		"https://a\n":                `"https://a\n" is no URL`,
	} {
		err := CheckURL(text, false)
		if err == nil && want != "" || err != nil && err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	if err := CheckURL("http://kernels.example/x", true); err != nil {
		t.Error(err)
	}
}

func TestRetryAfter(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"":      0,
		"3":     3 * time.Second,
		"soon":  0,
		"99999": 2 * time.Minute,
	} {
		status := &StatusError{retryAfter: RetryAfter(http.Header{"Retry-After": {text}})}
		got := pause(1, status)
		if want > 0 && got != want || want == 0 && got >= time.Second {
			t.Errorf("%q: pauses for %s", text, got)
		}
	}
	at := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	if got := RetryAfter(http.Header{"Retry-After": {at}}); got < 50*time.Minute || got > time.Hour {
		t.Errorf("a date an hour away: %s", got)
	}
}
