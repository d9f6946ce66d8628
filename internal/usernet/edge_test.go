package usernet

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"banger/internal/secret"
	"banger/internal/usernet/edge"
)

const (
	value       = "value-0123456789-0123456789"
	placeholder = "place-0123456789-0123456789"
)

// atEdge is a guest with a secret for example.com, which is at 198.51.100.7 with
// others.
type atEdge struct {
	*Network
	guest *fakeGuest
	log   *traffic
	roots *x509.CertPool // the guest's
	host  *httptest.Server
}

func newAtEdge(t *testing.T, handler http.HandlerFunc) *atEdge {
	t.Helper()
	w := &atEdge{log: new(traffic), roots: x509.NewCertPool(), host: httptest.NewTLSServer(handler)}
	t.Cleanup(w.host.Close)
	secrets := []secret.Secret{{Name: "TOKEN", Hosts: []secret.Host{"example.com"}}}
	v, err := secret.NewValue(value)
	check(t, err)
	authority, err := edge.NewAuthority("box", secrets)
	check(t, err)
	if !w.roots.AppendCertsFromPEM([]byte(authority.Certificate())) {
		t.Fatal("the authority's certificate is none")
	}
	hosts := x509.NewCertPool()
	hosts.AddCert(w.host.Certificate())
	e := edge.New(edge.Options{
		Authority: authority, Secrets: secrets, Values: secret.Values{"TOKEN": v}, Placeholders: map[string]string{"TOKEN": placeholder}, Roots: hosts,
	})
	t.Cleanup(e.Close)
	w.Network, w.guest = newNetwork(t, Options{Traffic: w.log, Edge: e}, streamFrames)
	w.dial = func(ctx context.Context, _ netip.AddrPort) (*net.TCPConn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", w.host.Listener.Addr().String())
		if err != nil {
			return nil, err
		}
		return conn.(*net.TCPConn), nil
	}
	w.servers = func() []string { return []string{"ok:53"} }
	reply := w.resolve(query("example.com", typeA), func(_ context.Context, _ string, q []byte) ([]byte, error) {
		return withRecord(q, []byte{198, 51, 100, 7}), nil
	})
	if reply == nil {
		t.Fatal("the name has no answer")
	}
	return w
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// client speaks HTTP from the guest to an address, by the name that TLS is to have.
func (w *atEdge) client(address string, config *tls.Config) *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: config, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return w.guest.dial(ctx, "tcp", address) },
	}}
}

func (w *atEdge) hasNoted(t *testing.T, line string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(w.log.String(), line); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log has %q, not %q", w.log, line)
		}
	}
	if strings.Contains(w.log.String(), value) {
		t.Error("the log has the value")
	}
}

func TestHostsGetSecrets(t *testing.T) {
	w := newAtEdge(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Right", map[bool]string{true: "yes"}[r.Header.Get("Authorization") == value])
		io.Copy(w, r.Body)
	})
	sent := bytes.Repeat([]byte("0123456789abcde\n"), 1<<16)
	for range 3 {
		r, err := http.NewRequest(http.MethodPost, "https://example.com/", bytes.NewReader(sent))
		check(t, err)
		r.Header.Set("Authorization", placeholder)
		answer, err := w.client("198.51.100.7:443", &tls.Config{RootCAs: w.roots}).Do(r)
		check(t, err)
		got, err := io.ReadAll(answer.Body)
		check(t, err)
		answer.Body.Close()
		if answer.Header.Get("X-Right") != "yes" || !bytes.Equal(got, sent) {
			t.Errorf("the host got another header, or %d bytes", len(got))
		}
	}
	w.hasNoted(t, `allowed https "example.com" with secret TOKEN`)
}

// TLS for other hosts passes untouched: the guest sees their own certificates.
func TestOthersTLSPasses(t *testing.T) {
	w := newAtEdge(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Header.Get("X")) })
	for _, tt := range []struct{ what, address, name string }{
		{"another name at the same address", "198.51.100.7:443", "other.test"},
		{"no name", "198.51.100.7:443", ""},
		{"another port", "198.51.100.7:8443", "example.com"},
		{"another address and name", "198.51.100.8:443", "other.test"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			conn := w.guest.mustDial("tcp", tt.address)
			secure := tls.Client(conn, &tls.Config{ServerName: tt.name, InsecureSkipVerify: true})
			check(t, secure.HandshakeContext(t.Context()))
			if !bytes.Equal(secure.ConnectionState().PeerCertificates[0].Raw, w.host.Certificate().Raw) {
				t.Error("the guest sees another certificate than the host's")
			}
		})
	}
}

func TestSecretsElsewhereAreDenied(t *testing.T) {
	reached := make(chan string, 10)
	w := newAtEdge(t, func(_ http.ResponseWriter, r *http.Request) { reached <- r.Host })
	answer, err := w.client("198.51.100.66:443", &tls.Config{RootCAs: w.roots, InsecureSkipVerify: true}).Get("https://example.com/")
	if err == nil {
		answer.Body.Close()
		t.Error("the guest reached an address that the name does not have")
	}
	w.hasNoted(t, `denied tcp 198.51.100.66:443 [] by its secrets: TLS for "example.com"`)
	server, heard := hearing(t)
	w.dial = func(ctx context.Context, _ netip.AddrPort) (*net.TCPConn, error) {
		return DialTCP(ctx, netip.MustParseAddrPort(server))
	}
	for _, to := range []string{"198.51.100.7:80", "198.51.100.9:8080"} {
		conn := w.guest.mustDial("tcp", to)
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: example.com\r\nAuthorization: "+placeholder[:10])
		io.WriteString(conn, placeholder[10:]+"\r\n\r\n")
		if got := <-heard; strings.Contains(got, placeholder) {
			t.Errorf("the server heard %q", got)
		}
		if _, err := io.ReadAll(conn); err == nil {
			t.Error("the connection ends in good order")
		}
		w.hasNoted(t, "denied tcp "+to+" by secret TOKEN: it would go there without TLS")
	}
	if _, ok := w.allowed("udp", netip.MustParseAddrPort("198.51.100.7:443")); ok {
		t.Error("QUIC to the host is open")
	}
	w.hasNoted(t, `denied udp 198.51.100.7:443 ["example.com"] by its secrets`)
	if len(reached) > 0 {
		t.Errorf("%s was reached", <-reached)
	}
}

// hearing is a server that tells what it has heard of each connection.
func hearing(t *testing.T) (address string, heard chan string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { l.Close() })
	heard = make(chan string, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all, _ := io.ReadAll(conn)
			heard <- string(all)
			conn.Close()
		}
	}()
	return l.Addr().String(), heard
}

// What has no placeholder is not looked at any more than it was.
func TestPlainPassesBesideSecrets(t *testing.T) {
	w := newAtEdge(t, nil)
	echo := echoTCP(t)
	w.dial = func(ctx context.Context, _ netip.AddrPort) (*net.TCPConn, error) {
		return DialTCP(ctx, netip.MustParseAddrPort(echo))
	}
	conn := w.guest.mustDial("tcp", "198.51.100.7:80")
	sent := bytes.Repeat([]byte(placeholder[:len(placeholder)-1]+"\n"), 10_000)
	go func() {
		conn.Write(sent)
		conn.(interface{ CloseWrite() error }).CloseWrite()
	}()
	if got, err := io.ReadAll(conn); !bytes.Equal(got, sent) || err != nil {
		t.Errorf("%d of %d bytes came back, %v", len(got), len(sent), err)
	}
}

// Hosts with secrets have no records from which clients learn to hide their names.
func TestNoHTTPSRecordsForSecrets(t *testing.T) {
	w := newAtEdge(t, nil)
	for name, want := range map[string]bool{"example.com": false, "EXAMPLE.com": false, "other.test": true} {
		asked := false
		w.resolve(query(name, typeHTTPS), func(_ context.Context, _ string, q []byte) ([]byte, error) {
			asked = true
			return nil, errors.New("none")
		})
		if asked != want {
			t.Errorf("%s: asked %v", name, asked)
		}
	}
}
