package registry

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A registry whose certificate an administrator vouches for is trusted, as by
// docker, and one that wants to see a certificate is shown the one for it.
func TestCertificates(t *testing.T) {
	var seen int
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = len(r.TLS.PeerCertificates)
		io.WriteString(w, "{}")
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "https://")
	config := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", config)
	t.Setenv("DOCKER_CONFIG", config)
	read := func() error {
		repo, _, err := Open(t.Context(), Options{Reference: host + "/r:t"})
		if err == nil {
			_, _, err = repo.Manifest(t.Context(), "t", "x/y")
		}
		return err
	}
	if err := read(); err == nil {
		t.Fatal("trusts anybody")
	}
	dir := filepath.Join(config, "containers/certs.d", host)
	pair := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})
	put := func(name string, data []byte) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("ca.crt", certificate)
	put("README", []byte("whose they are"))
	if err := read(); err != nil || seen != 0 {
		t.Errorf("with ca.crt: %v; the registry saw %d certificates", err, seen)
	}
	put("client.cert", certificate)
	if err := read(); err == nil || !strings.Contains(err.Error(), "client.cert") {
		t.Errorf("without a key: %v", err)
	}
	put("client.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	if err := read(); err != nil || seen != 1 {
		t.Errorf("with client.cert: %v; the registry saw %d certificates", err, seen)
	}
	put("ca.crt", []byte("nothing"))
	if err := read(); err == nil || !strings.Contains(err.Error(), "ca.crt: no certificate is in it") {
		t.Errorf("with an empty ca.crt: %v", err)
	}
}
