package api

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"banger/internal/config"
	"banger/internal/engine"
	"banger/internal/statedir"
)

// newServer serves an engine with an empty state.
func newServer(t *testing.T) (*server, *httptest.Server) {
	t.Helper()
	dir := t.TempDir()
	s := &server{
		engine: engine.New(engine.Options{
			Config: config.Default(), Version: "test",
			Dirs: statedir.Dirs{State: dir + "/s", Cache: dir + "/c", Config: dir + "/f", Data: dir + "/d", Kernels: dir + "/s/kernels"},
		}),
		hint: func(err error) string { return "a hint" },
	}
	h, err := s.handler()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return s, server
}

func ask(t *testing.T, server *httptest.Server, method, path, body string, headers ...string) (int, string, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header.Get("Content-Type"), string(text)
}

func TestAnswers(t *testing.T) {
	_, server := newServer(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/v1/version", "", 200, `{"version":"test"}`},
		{"GET", "/v1/vms", "", 200, "[]"},
		{"GET", "/v1/images", "", 200, "[]"},
		{"GET", "/v1/kernels", "", 200, "[]"},
		{"GET", "/v1/snapshots", "", 200, "[]"},
	} {
		status, kind, text := ask(t, server, c.method, c.path, c.body)
		if status != c.status || kind != "application/json" || strings.TrimSpace(text) != c.want {
			t.Errorf("%s %s: %d %s %s", c.method, c.path, status, kind, text)
		}
	}
}

// What is refused is a problem with a status, whoever refuses it.
func TestProblems(t *testing.T) {
	_, server := newServer(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		detail             string
	}{
		{"GET", "/v1/nothing", "", 404, "Not Found"},
		{"PUT", "/v1/vms", "", 405, "Method Not Allowed"},
		{"GET", "/v1/vms/box", "", 404, `no vm is called "box"`},
		{"GET", "/v1/vms/Box", "", 400, "must begin and end"},
		{"GET", "/v1/vms/..%2f..%2fetc", "", 400, ""},
		{"GET", "/v1/vms?labels=a", "", 400, `no parameter "labels"`},
		{"DELETE", "/v1/vms/box?force=1", "", 400, "neither true nor false"},
		{"DELETE", "/v1/vms/box?force=true&force=true", "", 400, "more than once"},
		{"POST", "/v1/vms", "{", 400, ""},
		{"POST", "/v1/vms", `{"naem": "box"}`, 400, "naem"},
		{"POST", "/v1/vms", `{"name": null}`, 400, ""},
		{"POST", "/v1/vms", `{"Name": "box"}`, 400, "Name"},
		{"POST", "/v1/vms", `{"cpus": 0}`, 400, ""},
		{"POST", "/v1/vms", `{"cpus": 1e99}`, 400, ""},
		{"POST", "/v1/vms", `{"image": "nothere"}`, 404, `no image is called "nothere"`},
		{"POST", "/v1/vms", `{"image": "nothere", "policy": {"allow": ["a b"]}}`, 400, ""},
		{"POST", "/v1/vms", `[]`, 400, ""},
		{"POST", "/v1/vms/box/exec", `{"argv": []}`, 400, ""},
		{"POST", "/v1/vms/box/exec", `{"argv": ["true"]}`, 404, ""},
		{"POST", "/v1/vms/box/exec", `{"argv": ["true"], "stdin": "/w=", "stdin_encoding": "base64"}`, 400, "not in base64"},
		{"POST", "/v1/vms/box/exec", `{"argv": ["true"], "stdin_encoding": "hex"}`, 400, ""},
		{"POST", "/v1/vms/box/stop?timeout=x", "", 400, "no number"},
		{"GET", "/v1/vms/box/attach", "", 404, ""},
		{"GET", "/v1/vms/box/logs?source=other", "", 400, "no log"},
		{"GET", "/v1/vms/box/logs?tail=all", "", 400, "no number"},
		{"GET", "/v1/vms/box/logs?tail=", "", 400, "tail is empty"},
		{"GET", "/v1/events?since=yesterday", "", 400, ""},
		{"POST", "/v1/images", `{"reference": "tar:/nothere"}`, 409, "no kernel"},
		{"DELETE", "/v1/kernels/nothere", "", 404, ""},
		{"GET", "/v1/volumes/nothere", "", 404, ""},
		{"DELETE", "/v1/networks/nothere", "", 404, ""},
		{"GET", "/v1/vms/box/files?path=/etc", "", 404, `no vm is called "box"`},
		{"GET", "/v1/vms/box/files/content?path=/etc/passwd", "", 404, ""},
		{"PUT", "/v1/vms/box/files/content?path=/x&mode=999", "", 400, "octal"},
		{"PUT", "/v1/vms/box/files/tar?path=/x", "not a tar", 404, ""},
		{"POST", "/v1/vms/box/forwards", `{"guest_port": 80}`, 404, ""},
		{"POST", "/v1/vms/box/forwards", `{"guest_port": 0}`, 400, ""},
		{"POST", "/v1/runs", `{"image": "nothere"}`, 404, ""},
		{"POST", "/v1/vms", `{"image": "nothere", "secrets": [{"name": "A", "hosts": ["example"]}]}`, 400, ""},
		{"POST", "/v1/copy", `{"from": [{"path": "/etc"}], "to": {"path": "/tmp"}}`, 409, "in a vm"},
		{"POST", "/v1/builds", `{"name": "x"}`, 409, ""},
		{"POST", "/v1/networks", `{"name": "x", "subnet": "10.1.2.3"}`, 400, ""},
		{"POST", "/v1/networks", `{"name": "x", "subnet": "75/89"}`, 400, "does not match"},
		{"POST", "/v1/networks", `{"name": "x", "subnet": "10.1.300.0/24"}`, 400, "does not match"},
		{"POST", "/v1/networks", `{"name": "x", "subnet": "8.8.8.0/24"}`, 409, ""},
		{"GET", "/v1/stats?interval=1", "", 400, "milliseconds"},
		{"GET", "/v1/vms/box/policy/check?port=0", "", 400, "number"},
	} {
		status, kind, text := ask(t, server, c.method, c.path, c.body)
		var p problem
		err := json.Unmarshal([]byte(text), &p)
		if status != c.status || kind != problemType || err != nil || p.Status != status || !strings.Contains(p.Detail, c.detail) {
			t.Errorf("%s %s %s: %d %s %s", c.method, c.path, c.body, status, kind, text)
		}
	}
	if status, _, _ := ask(t, server, "POST", "/v1/vms", "name=box", "Content-Type", "application/x-www-form-urlencoded"); status != 415 {
		t.Errorf("a form: %d", status)
	}
	if status, _, _ := ask(t, server, "POST", "/v1/vms", `{"name":"`+strings.Repeat("x", maxBody)+`"}`); status != 413 {
		t.Errorf("a body without end: %d", status)
	}
	if status, kind, text := ask(t, server, "POST", "/v1/vms", "{}", "Sec-Fetch-Site", "cross-site"); status != 403 || kind != problemType {
		t.Errorf("a page of another site: %d %s", status, text)
	}
}

// The description says what there is, and is OpenAPI's as far as can be told here.
func TestDescription(t *testing.T) {
	s, server := newServer(t)
	_, _, text := ask(t, server, "GET", "/v1/openapi.json", "")
	var d struct {
		OpenAPI string                                `json:"openapi"`
		Paths   map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil || d.OpenAPI != "3.1.0" {
		t.Fatalf("%v: %.200s", err, text)
	}
	if strings.Contains(text, `"maximum": 255`) {
		t.Error("bytes are described as a list of numbers, where JSON has base64")
	}
	ids := map[string]bool{}
	for _, o := range s.operations() {
		if d.Paths[prefix+o.Path][lower(o.Method)] == nil || ids[o.ID] {
			t.Errorf("%s %s is not described, or twice", o.Method, o.Path)
		}
		ids[o.ID] = true
	}
}

func TestKeyedTakeTurns(t *testing.T) {
	var k keyed
	var wait sync.WaitGroup
	inside := 0
	for range 20 {
		wait.Go(func() {
			release, ok := k.lock("key", nil)
			if !ok {
				t.Error("no turn")
				return
			}
			inside++
			release()
		})
	}
	wait.Wait()
	if inside != 20 || len(k.held) != 0 {
		t.Errorf("%d had a turn, %d are held", inside, len(k.held))
	}
	release, _ := k.lock("key", nil)
	defer release()
	done := make(chan struct{})
	close(done)
	if _, ok := k.lock("key", done); ok {
		t.Error("has a turn that is another's")
	}
}

func TestHeadKeepsTheBeginning(t *testing.T) {
	h := head{limit: 4}
	for _, text := range []string{"ab", "cdef", "gh"} {
		fmt.Fprint(&h, text)
	}
	if string(h.text) != "abcd" || !h.more {
		t.Errorf("kept %q", h.text)
	}
	if r := answer(0, &head{text: []byte{0xff}}, &head{}); r.Encoding != "base64" || r.Stdout != "/w==" {
		t.Errorf("got %+v", r)
	}
}

func TestSocketIsTheUsersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "banger.sock")
	first, err := listenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := listenUnix(path); err == nil || !strings.Contains(err.Error(), "served already") {
		t.Errorf("got %v", err)
	}
	first.Close()
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false) // as a killed server leaves it
	left.Close()
	second, err := listenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}

func TestTCPWantsATokenAndTLS(t *testing.T) {
	t.Setenv(TokenVariable, "short")
	o := serveOptions{listen: "127.0.0.1:0"}
	if _, _, err := o.open("", nil); err == nil || !strings.Contains(err.Error(), "token of at least") {
		t.Errorf("got %v", err)
	}
	t.Setenv(TokenVariable, "0123456789abcdef")
	if _, _, err := o.open("", nil); err == nil || !strings.Contains(err.Error(), "--tls-cert") {
		t.Errorf("got %v", err)
	}
	o.cert, o.key = "/nothere.crt", "/nothere.key"
	if _, _, err := o.open("", nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	o.cert, o.key = writeKeyPair(t)
	listener, h, err := o.open("", http.NotFoundHandler())
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != 401 || w.Header().Get("Content-Type") != problemType {
		t.Errorf("without the token: %d %s", w.Code, w.Body)
	}
}

// writeKeyPair writes a certificate and its key.
func writeKeyPair(t *testing.T) (cert, key string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, of, of, public, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "crt"), filepath.Join(t.TempDir(), "key")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// The server ends when it is told to, also while clients wait for what may never
// come.
func TestServeEnds(t *testing.T) {
	s, _ := newServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	path := filepath.Join(t.TempDir(), "banger.sock")
	ended := make(chan error)
	up, say := io.Pipe()
	go func() { ended <- s.serve(ctx, serveOptions{socket: path}, say) }()
	up.Read(make([]byte, 1))
	go io.Copy(io.Discard, up)
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	answer, err := client.Get("http://banger/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	io.Copy(io.Discard, answer.Body)
}

func FuzzRequest(f *testing.F) {
	f.Add("POST", "/v1/vms?x=1", []byte(`{"name": "box", "ports": [{"guest_port": 80}]}`))
	f.Add("PATCH", "/v1/vms/box", []byte(`{"cpus": 2}`))
	s := &server{hint: func(error) string { return "" }, engine: engine.New(engine.Options{Dirs: statedir.Dirs{State: f.TempDir(), Kernels: f.TempDir()}})}
	operations := s.operations()
	f.Fuzz(func(t *testing.T, method, target string, body []byte) {
		r, err := http.NewRequest(method, "http://x", bytes.NewReader(body))
		if err != nil {
			return
		}
		r.URL.RawQuery = target
		r.Header.Set("Content-Type", "application/json")
		for _, o := range operations {
			o.read(httptest.NewRecorder(), r)
		}
	})
}
