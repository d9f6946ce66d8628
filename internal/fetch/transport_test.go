package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// at serves on one of the loopback's addresses.
func at(t *testing.T, ip string, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	l, err := net.Listen("tcp", ip+":0")
	if err != nil {
		t.Skip("no second loopback address:", err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// private has 127.0.0.2 for a private address, so that 127.0.0.1 is a public one.
func private(t *Transport) *Transport {
	t.private = func(ip netip.Addr) bool { return ip == netip.MustParseAddr("127.0.0.2") || ip.IsPrivate() }
	return t
}

func get(t *testing.T, tr http.RoundTripper, ctx context.Context, url string) error {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// A public server leads nobody to this machine or its network, neither by a
// redirect nor by what it answers, and a private one anywhere.
func TestTransportIsNotLedInside(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusFound)
		}
	}
	outside, inside := at(t, "127.0.0.1", answer), at(t, "127.0.0.2", answer)
	for _, c := range []struct {
		name, url string
		led       string
		good      bool
	}{
		{"outside", outside.URL, "", true},
		{"inside, asked for", inside.URL, "", true},
		{"from outside to inside", outside.URL + "?to=" + inside.URL, "", false},
		{"from inside to inside", inside.URL + "?to=" + inside.URL, "", true},
		{"from inside to outside", inside.URL + "?to=" + outside.URL, "", true},
		{"from inside over outside", inside.URL + "?to=" + url.QueryEscape(outside.URL+"?to="+inside.URL), "", false},
		{"from outside to localhost", outside.URL + "?to=http://localhost:1/", "", false},
		{"from outside to a private address", outside.URL + "?to=http://10.1.2.3/", "", false},
		{"from outside to a link-local one", outside.URL + "?to=http://169.254.169.254/", "", false},
		{"led from outside", inside.URL, outside.URL, false},
		{"led from inside", inside.URL, inside.URL, true},
	} {
		tr := private(NewTransport())
		ctx := t.Context()
		if c.led != "" {
			if err := get(t, tr, ctx, c.led); err != nil { // so that it is known
				t.Fatal(err)
			}
			tr.CloseIdleConnections()
			u, err := url.Parse(c.led)
			if err != nil {
				t.Fatal(err)
			}
			ctx = LedBy(ctx, u)
		}
		err := get(t, tr, ctx, c.url)
		if (err == nil) != c.good || err != nil && (!strings.Contains(err.Error(), "refused to") || MayMend(err)) {
			t.Errorf("%s: %v", c.name, err)
		}
		tr.CloseIdleConnections()
	}
}

// Behind a proxy names and literal addresses tell.
func TestTransportBehindProxy(t *testing.T) {
	var asked []string
	proxy := at(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Host)
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusFound)
		}
	})
	tr := NewTransport()
	proxyURL, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	tr.Proxy = http.ProxyURL(proxyURL)
	defer tr.CloseIdleConnections()
	if err := get(t, tr, t.Context(), "http://example.com/?to=http://example.net/"); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"http://10.0.0.1/", "http://127.0.0.1/", "http://[::1]/", "http://localhost/", "http://LOCALHOST./", "http://169.254.169.254/", "http://metadata.google.internal/"} {
		if err := get(t, tr, t.Context(), "http://example.com/?to="+to); err == nil || !strings.Contains(err.Error(), "refused to") {
			t.Errorf("%s: %v", to, err)
		}
	}
	for _, host := range asked {
		if !strings.HasPrefix(host, "example.") {
			t.Errorf("the proxy was asked for %s", host)
		}
	}
}

// trickle sends chunks of size until the client has gone, or count of them.
func trickle(size, count int, every time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for chunk := make([]byte, size); count != 0; count-- {
			if _, err := w.Write(chunk); err != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-time.After(every):
			case <-r.Context().Done():
				return
			}
		}
	}
}

// A server that sends a byte now and then does not hold anybody for ever; one
// that is merely slow is waited for.
func TestPace(t *testing.T) {
	tr := NewTransport()
	tr.window = 200 * time.Millisecond
	defer tr.CloseIdleConnections()
	slow := at(t, "127.0.0.1", trickle(1, -1, 20*time.Millisecond))
	if err := get(t, tr, t.Context(), slow.URL); !errors.Is(err, ErrSlow) || MayMend(err) {
		t.Errorf("a trickle: %v", err)
	}
	fair := at(t, "127.0.0.1", trickle(10<<10, 40, 20*time.Millisecond))
	if err := get(t, tr, t.Context(), fair.URL); err != nil {
		t.Errorf("10 KiB at a time: %v", err)
	}
	// A Body does not take a trickle for progress.
	if _, err := Open(t.Context(), slow.URL, Options{Transport: tr}); !errors.Is(err, ErrSlow) {
		t.Errorf("fetched: %v", err)
	}
}

// What is waited for is said, before the answer and in the body, and nothing
// behind its end.
func TestSaysThatNothingComes(t *testing.T) {
	var mu sync.Mutex
	var said []string
	heard := make(chan struct{}, 10)
	tr := NewTransport()
	tr.quiet = time.Millisecond
	tr.Say = func(text string) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, text)
		heard <- struct{}{}
	}
	defer tr.CloseIdleConnections()
	s := at(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		<-heard
		w.Write([]byte("a"))
		if http.NewResponseController(w).Flush() == nil {
			<-heard
		}
	})
	if err := get(t, tr, t.Context(), s.URL); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(said) < 2 || !strings.HasPrefix(said[0], "nothing has come from 127.0.0.1 for 1ms") {
		t.Errorf("said %q", said)
	}
}

func TestExplainWait(t *testing.T) {
	for text, err := range map[string]error{
		"no connection to h within 20s":      &net.OpError{Op: "dial", Err: context.DeadlineExceeded},
		"h accepts connections and does not": errors.New("net/http: TLS handshake timeout"),
		"h takes requests and does not":      fmt.Errorf("x: %w", errors.New("net/http: timeout awaiting response headers")),
	} {
		if got := explainWait("h", err); !strings.HasPrefix(got.Error(), text) || !errors.Is(got, err) {
			t.Errorf("got %v, want %s", got, text)
		}
	}
}
