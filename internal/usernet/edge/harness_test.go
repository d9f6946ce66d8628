package edge

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"banger/internal/secret"
)

// The guest of these tests has a token for api.test, one for two hosts, and one
// for another host.
const (
	token    = "ghp_RealRealRealRealRealRealRealReal1234"
	fake     = "ghp_Placeholder0Placeholder0Placehol9999"
	password = "p4ss/w0rd+with=odd&chars"
	fakePass = "f4ke/w0rd+with=odd0chars"
	other    = "other-real-value-000000000"
	fakeOth  = "other-fake-value-000000000"
)

// world is a host with an edge before it.
type world struct {
	t       *testing.T
	host    *httptest.Server
	edge    *Edge
	address string // of the edge, for the guest
	name    string // that the guest's TLS names
	roots   *x509.CertPool

	mu    sync.Mutex
	notes []string
}

func newWorld(t *testing.T, handler http.HandlerFunc, change func(*world, *Options)) *world {
	t.Helper()
	w := &world{t: t, name: "api.test", roots: x509.NewCertPool()}
	w.host = httptest.NewUnstartedServer(handler)
	w.host.EnableHTTP2 = true
	w.host.Config.ErrorLog = discard
	hostCA, err := NewAuthority("host", []secret.Secret{{Hosts: []secret.Host{"test.invalid", "api.test", "two.test"}}})
	must(t, err)
	cert, err := hostCA.certificate("api.test")
	must(t, err)
	w.host.TLS = &tls.Config{Certificates: []tls.Certificate{*cert}}
	o := Options{
		Secrets: []secret.Secret{
			{Name: "TOKEN", Hosts: []secret.Host{"api.test"}},
			{Name: "PASSWORD", Hosts: []secret.Host{"api.test", "two.test"}},
			{Name: "OTHER", Hosts: []secret.Host{"other.test"}},
		},
		Values:       values(t, map[string]string{"TOKEN": token, "PASSWORD": password, "OTHER": other}),
		Placeholders: map[string]string{"TOKEN": fake, "PASSWORD": fakePass, "OTHER": fakeOth},
		Roots:        x509.NewCertPool(),
	}
	o.Roots.AddCert(hostCA.cert)
	if change != nil {
		change(w, &o)
	}
	w.host.StartTLS()
	t.Cleanup(w.host.Close)
	o.Authority, err = NewAuthority("box", o.Secrets)
	must(t, err)
	w.roots.AddCert(o.Authority.cert)
	w.edge = New(o)
	t.Cleanup(w.edge.Close)
	w.listen()
	return w
}

func values(t *testing.T, texts map[string]string) secret.Values {
	t.Helper()
	all := secret.Values{}
	for name, text := range texts {
		v, err := secret.NewValue(text)
		must(t, err)
		all[name] = v
	}
	return all
}

// listen serves what connects as the network does the guest's connections.
func (w *world) listen() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(w.t, err)
	w.address = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	w.t.Cleanup(func() {
		cancel()
		l.Close()
		serving.Wait()
		for name, places := range map[string]chan struct{}{"sessions": w.edge.sessions, "HTTP/2": w.edge.http2} {
			if len(places) != 0 {
				w.t.Errorf("%d places of %s are taken after all has ended", len(places), name)
			}
		}
	})
	to := Upstream{
		Host: w.name, Port: 443, Note: w.note,
		Dial: func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", w.host.Listener.Addr().String())
		},
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { w.edge.Serve(ctx, conn, to) })
		}
	}()
}

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes = append(w.notes, fmt.Sprintf(format, args...))
}

// noted returns the lines of the log, without waiting for more.
func (w *world) noted() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.notes, "\n")
}

// client is a program of the guest's that speaks HTTP, also of version 2 where
// that is asked for.
func (w *world) client(http2 bool) *http.Client {
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: w.roots}, ForceAttemptHTTP2: http2, DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", w.address)
		},
	}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// dial is a program that speaks what it likes within TLS.
func (w *world) dial(protocols ...string) *tls.Conn {
	w.t.Helper()
	conn, err := tls.Dial("tcp", w.address, &tls.Config{RootCAs: w.roots, ServerName: w.name, NextProtos: protocols})
	must(w.t, err)
	w.t.Cleanup(func() { conn.Close() })
	return conn
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// leaks fails where a text has a value.
func leaks(t *testing.T, what string, text []byte) {
	t.Helper()
	for _, value := range []string{token, password, other} {
		if bytes.Contains(text, []byte(value)) {
			t.Errorf("%s has a value: %.300q", what, text)
		}
	}
}

func verifyBy(roots *x509.CertPool, host string) x509.VerifyOptions {
	return x509.VerifyOptions{Roots: roots, DNSName: host}
}
