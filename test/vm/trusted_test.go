package vm

import (
	"bytes"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// allTrusted is what testdata/talk says where all that proxies are known to spoil
// works with a secret.
const allTrusted = `http 1: HTTP/1.1
http 2: HTTP/2.0
events by http 1: data: one data: two
events by http 2: data: one data: two
compressed: the same
websocket: said again
`

// gitSteps use a repository that is there by HTTPS: what it gives and gets is more than
// git sends at once.
var gitSteps = []string{
	`git clone -q "https://user:$TOKEN@$1/repo.git" /clone`,
	`head -c 1500000 /dev/urandom > /clone/more && git -C /clone add more`,
	`git -C /clone -c user.name=guest -c user.email=guest@localhost commit -qm more`,
	`git -C /clone push -q origin HEAD:main`,
}

// What is said to a host that has a secret passes as it is, but for the secret.
func TestSecretTraffic(t *testing.T) {
	h := newHost(t)
	talk, repository := h.talkProgram(), newRepository(t)
	server := h.trustedServer(knowsToken(h, repository, serveTalk(t, talk)[0]))
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "https://"), ":")
	address := "host.banger.internal:" + port
	h.env = append(h.env, "TOKEN="+realToken)
	h.ok("image", "pull", "tar:"+appsTar(t), "--name", "apps", "--kernel-ref", "debian")
	h.ok("vm", "run", "--image", "apps", "--memory", "384M", "--name", "box", "--host-loopback", "--secret", "TOKEN@"+address, "--", "true")
	h.ok("vm", "cp", talk, "box:/talk")
	if r := h.banger("vm", "exec", "box", "--", "/talk", "trust", address); r.stdout != allTrusted {
		t.Errorf("the guest hears %s%s", r.stdout, r.stderr)
	}
	for _, step := range gitSteps {
		h.ok("vm", "exec", "box", "--", "dash", "-c", step, "dash", address)
	}
	head := h.ok("vm", "exec", "box", "--", "git", "-C", "/clone", "rev-parse", "HEAD")
	if got := git(t, repository, "rev-parse", "main"); got != head {
		t.Errorf("the repository has %q, the guest %q", got, head)
	}
	git(t, repository, "fsck", "--strict")
	h.tokenIsNowhere()
	h.ok("vm", "rm", "--force", "box")
}

// newRepository makes a bare one with much in it, that may be pushed to.
func newRepository(t *testing.T) (bare string) {
	t.Helper()
	dir := t.TempDir()
	work, bare := filepath.Join(dir, "work"), filepath.Join(dir, "repo.git")
	git(t, dir, "init", "-q", "--bare", "--initial-branch", "main", bare)
	git(t, bare, "config", "http.receivepack", "true")
	git(t, dir, "clone", "-q", bare, work)
	if out, err := exec.Command("dd", "if=/dev/urandom", "of="+filepath.Join(work, "big"), "bs=1500000", "count=1").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	git(t, work, "add", "big")
	git(t, work, "-c", "user.name=host", "-c", "user.email=host@localhost", "commit", "-qm", "big")
	git(t, work, "push", "-q", "origin", "HEAD:main")
	return bare
}

// knowsToken serves a repository, and all else by the server at web, to those who
// have the token.
func knowsToken(h *host, repository, web string) http.Handler {
	h.t.Helper()
	program, err := exec.LookPath("git")
	h.must(err)
	packs := &cgi.Handler{Path: program, Args: []string{"http-backend"}, Root: "/",
		Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(repository), "GIT_HTTP_EXPORT_ALL=1"}}
	rest := &httputil.ReverseProxy{FlushInterval: -1, Transport: &http.Transport{DisableCompression: true}, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: web}) }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		switch {
		case password != realToken && r.Header.Get("Authorization") != "Bearer "+realToken:
			w.Header().Set("WWW-Authenticate", "Basic")
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/version":
			io.WriteString(w, r.Proto)
		case strings.HasPrefix(r.URL.Path, "/repo.git/"):
			body, err := io.ReadAll(r.Body) // whose length CGI has to know
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
			packs.ServeHTTP(w, r)
		default:
			rest.ServeHTTP(w, r)
		}
	})
}
