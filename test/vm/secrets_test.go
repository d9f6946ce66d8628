package vm

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// realToken is nowhere but in the server's requests.
const realToken = "ghp_Real0Value1Of2This3Test4Nowhere5Else"

// secretServer knows the token, and says whether it is right.
func secretServer(h *host) *httptest.Server {
	h.t.Helper()
	return h.trustedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		switch {
		case r.URL.Path == "/body" && r.Header.Get("Authorization") == "Bearer "+realToken:
			sum := sha256.New()
			io.Copy(sum, r.Body)
			w.Write(sum.Sum(nil))
		case r.Header.Get("Authorization") == "Bearer "+realToken, password == realToken, r.URL.Query().Get("key") == realToken:
			io.WriteString(w, "right")
		default:
			io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, "wrong: %q %q", r.Header.Get("Authorization"), r.URL.RawQuery)
		}
	}))
}

// trustedServer serves by TLS, with a certificate that supervisors believe.
func (h *host) trustedServer(handler http.Handler) (server *httptest.Server) {
	h.t.Helper()
	server = httptest.NewUnstartedServer(handler)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	h.must(err)
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"host.banger.internal"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	h.must(err)
	roots := filepath.Join(h.t.TempDir(), "roots.pem")
	h.must(os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	h.env = append(h.env, "SSL_CERT_FILE="+roots)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.EnableHTTP2 = true
	server.StartTLS()
	h.t.Cleanup(server.Close)
	return server
}

// A guest uses a secret that it does not have, also after it was started anew.
func TestSecrets(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	server := secretServer(h)
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "https://"), ":")
	address := "https://host.banger.internal:" + port
	without := h.env
	h.env = append(h.env[:len(h.env):len(h.env)], "TOKEN="+realToken)
	// The test's image has no authorities, of which an image with any adds one more.
	h.ok("vm", "run", "--image", "debian", "--name", "box", "--host-loopback", "--secret", "TOKEN@host.banger.internal:"+port,
		"--", "sh", "-c", "mkdir -p /etc/ssl/certs && touch /etc/ssl/certs/ca-certificates.crt")
	token := strings.TrimSpace(h.ok("vm", "exec", "box", "--", "sh", "-c", "echo $TOKEN"))
	h.stop("box")
	h.env = without
	h.fails("no such variable", "vm", "start", "box")
	h.tokenIsNowhere()
	h.env = append(h.env[:len(h.env):len(h.env)], "TOKEN="+realToken)
	h.ok("vm", "start", "box")
	if r := h.bangerWith(strings.NewReader(h.programOf("secret")), "vm", "exec", "box", "--", "sh", "-c", "cat > /root/secret && chmod +x /root/secret"); r.code != 0 {
		t.Fatal(r)
	}
	const want = "header: right\nbasic: right\nquery: right\nbody: 200, the same: true\n"
	if got := h.ok("vm", "exec", "box", "--", "sh", "-c", "/root/secret "+address+"; echo $TOKEN"); got != want+token+"\n" {
		t.Errorf("after a start: %q", got)
	}
	if len(token) != len(realToken) || !strings.HasPrefix(token, "ghp_") || token == realToken {
		t.Errorf("the guest has %q", token)
	}
	if got := h.ok("vm", "exec", "box", "--", "env", "-u", "SSL_CERT_FILE", "bash", "-lc", "/root/secret "+address); got != want {
		t.Errorf("by the guest's own store the server says %q", got)
	}
	h.tokenIsNowhere()
	// Another value is in force at once, for a file's as for a variable's.
	file := filepath.Join(t.TempDir(), "token")
	h.must(os.WriteFile(file, []byte("another value\n"), 0o600))
	first, _, _ := strings.Cut(want, "\n")
	for _, tt := range []struct{ secret, want string }{{"TOKEN=@" + file, "header: wrong"}, {"TOKEN", first}} {
		r := h.banger("vm", "set", "box", "--secret", tt.secret+"@host.banger.internal:"+port)
		if r.code != 0 || strings.Contains(r.stderr, "next start") {
			t.Errorf("vm set says %+v", r)
		}
		if got := h.banger("vm", "exec", "box", "--", "/root/secret", address).stdout; !strings.HasPrefix(got, tt.want) {
			t.Errorf("with %s the server says %q", tt.secret, got)
		}
	}
	if r := h.banger("vm", "set", "box", "--secret", "TOKEN@host.banger.internal:"+port+",more.test"); r.code != 0 || !strings.Contains(r.stderr, "next start") {
		t.Errorf("vm set says %+v", r)
	}
	h.tokenIsNowhere()
	if log := h.ok("vm", "logs", "box", "--network"); !strings.Contains(log, `allowed https "host.banger.internal" with secret TOKEN`) {
		t.Errorf("the log has %q", log)
	}
	if got := h.ok("vm", "show", "box"); !strings.Contains(got, "TOKEN@host.banger.internal:"+port) {
		t.Errorf("vm show has %q", got)
	}
	h.ok("vm", "rm", "--force", "box")
}

// tokenIsNowhere looks for the token in the VM and in what the host has of it.
func (h *host) tokenIsNowhere() {
	h.t.Helper()
	if v := h.show("box"); v.State.VMMPID != 0 {
		find := "grep -rlaF -f - /etc /root /home /run /var /tmp /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null"
		if r := h.bangerWith(strings.NewReader(realToken), "vm", "exec", "box", "--", "sh", "-c", find); r.stdout != "" {
			h.t.Errorf("the guest has the token in %s", r.stdout)
		}
		for _, pid := range []int{v.State.VMMPID, h.supervisorPID()} {
			for _, name := range []string{"environ", "cmdline"} {
				h.lacksToken(filepath.Join("/proc", strconv.Itoa(pid), name))
			}
		}
	}
	h.must(filepath.WalkDir(h.home, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == "images" || d.Name() == "kernels") {
			return filepath.SkipDir
		}
		if err == nil && d.Type().IsRegular() {
			h.lacksToken(path)
		}
		return err
	}))
}

// lacksToken fails where a file has it.
func (h *host) lacksToken(path string) {
	h.t.Helper()
	f, err := os.Open(path)
	h.must(err)
	defer f.Close()
	buf := make([]byte, 1<<20)
	for kept := 0; ; {
		n, err := f.Read(buf[kept:])
		if bytes.Contains(buf[:kept+n], []byte(realToken)) {
			h.t.Errorf("%s has the token", path)
			return
		}
		if err != nil {
			return
		}
		kept = copy(buf, buf[max(0, kept+n-len(realToken)):kept+n])
	}
}
