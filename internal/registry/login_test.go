package registry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const me = "Basic bWU6c2VjcmV0" // me:secret

// server is a registry that wants to know who asks: of paths with part in them,
// by what it asks for in ask, for an answer such as good. %s is its own address.
type server struct {
	part, good string
	ask        []string
	tokens     http.HandlerFunc
}

func (s server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/token"):
		s.tokens(w, r)
	case strings.Contains(r.URL.Path, s.part) && r.Header.Get("Authorization") != s.good:
		for _, text := range s.ask {
			if r.URL.Path == "/v2/" {
				text = strings.ReplaceAll(text, ":r:", ":user/image:") // as GitHub's has it
			}
			w.Header().Add("WWW-Authenticate", strings.ReplaceAll(text, "%s", "http://"+r.Host))
		}
		w.WriteHeader(http.StatusUnauthorized)
	default:
		io.WriteString(w, "{}")
	}
}

// gives is a place to get tokens from: its answer is for those whose credentials
// are good.
func gives(answer, good string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != good || r.URL.Query().Get("scope") != "repository:r:pull" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, answer)
	}
}

// refreshes gives one for an identity token.
func refreshes(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.PostFormValue("refresh_token") != "IT" || r.PostFormValue("grant_type") != "refresh_token" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	io.WriteString(w, `{"access_token": "T"}`)
}

// get gets a manifest from a registry, as somebody for whom docker has kept auth.
func get(t *testing.T, h http.Handler, auth string) (warned []string, err error) {
	t.Helper()
	listener := httptest.NewServer(h)
	defer listener.Close()
	host := strings.TrimPrefix(listener.URL, "http://")
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("DOCKER_CONFIG", dir)
	if auth != "" {
		config := must(json.Marshal(map[string]any{"auths": map[string]any{host: json.RawMessage(auth)}}))
		if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	repo, _, err := Open(t.Context(), Options{
		Reference: host + "/r:t", Warn: func(err error) { warned = append(warned, err.Error()) },
		Sleep: func(context.Context, time.Duration) error { return nil },
	})
	if err == nil {
		var raw []byte
		if raw, _, err = repo.Manifest(t.Context(), "t", "x/y"); err == nil && string(raw) != "{}" {
			err = fmt.Errorf("the manifest is %q", raw)
		}
	}
	return warned, err
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Registries ask who it is in many ways, and some only for what they keep.
func TestLogin(t *testing.T) {
	bearer := []string{`Bearer realm="%s/token",service="s",scope="repository:r:pull"`}
	both := func(first, second string) []string { return []string{first, second} }
	basicAsk, token := `Basic realm="x"`, `{"token": "T"}`
	mine := `{"auth": "` + strings.TrimPrefix(me, "Basic ") + `"}`
	for what, c := range map[string]struct {
		server
		auth string
		warn string
	}{
		"nothing asked":                 {server: server{part: "none"}},
		"a token":                       {server: server{"", "Bearer T", bearer, gives(token, "")}},
		"a token for the user":          {server{"", "Bearer T", bearer, gives(token, me)}, mine, ""},
		"an access token":               {server: server{"", "Bearer T", bearer, gives(`{"token": "", "access_token": "T", "expires_in": "300"}`, "")}},
		"without a service":             {server: server{"", "Bearer T", []string{`Bearer realm="%s/token"`}, gives(token, "")}},
		"a query":                       {server: server{"", "Bearer T", []string{`bearer Realm="%s/token?a=b",scope="repository:r:pull"`}, gives(token, "")}},
		"basic":                         {server{"", me, []string{basicAsk}, nil}, mine, ""},
		"basic or a token":              {server: server{"", "Bearer T", both(basicAsk, bearer[0]), gives(token, "")}},
		"basic or a token, on one line": {server: server{"", "Bearer T", []string{basicAsk + ", " + bearer[0]}, gives(token, "")}},
		"what nobody has, or basic":     {server{"", me, both("Negotiate", basicAsk), nil}, mine, ""},
		"manifests only":                {server: server{"/manifests/", "Bearer T", bearer, gives(token, "")}},
		"manifests only, basic":         {server{"/manifests/", me, []string{basicAsk}, nil}, mine, ""},
		"an identity token":             {server{"", "Bearer T", bearer, refreshes}, `{"identitytoken": "IT"}`, ""},
		"a token that the user has":     {server{"", "Bearer RT", bearer, nil}, `{"registrytoken": "RT"}`, ""},
		"credentials of yesterday":      {server{"", "Bearer T", bearer, gives(token, "")}, mine, "does not take the credentials"},
	} {
		warned, err := get(t, c.server, c.auth)
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if said := strings.Join(warned, "\n"); (said == "") != (c.warn == "") || !strings.Contains(said, c.warn) {
			t.Errorf("%s: warned %q", what, said)
		}
	}
}

func TestLoginFails(t *testing.T) {
	bearer := []string{`Bearer realm="%s/token"`}
	for what, c := range map[string]struct {
		server
		want string
	}{
		"no credentials":        {server{"", me, []string{"Basic"}, nil}, "needs docker login"},
		"a token is refused":    {server{"", "Bearer other", bearer, gives(`{"token": "T"}`, "")}, "needs docker login"},
		"no token for anybody":  {server{"", "Bearer T", bearer, gives("", "x")}, "needs docker login"},
		"no token in it":        {server{"", "Bearer T", bearer, gives("<html>", "")}, "gives no token"},
		"tokens of another net": {server{"", "Bearer T", []string{`Bearer realm="http://10.0.0.1/token"`}, nil}, "is not encrypted"},
		"no place at all":       {server{"", "Bearer T", []string{`Bearer realm="::"`}, nil}, "names no place"},
		"a broken token server": {server{"", "Bearer T", bearer, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }}, "answers 502"},
	} {
		if _, err := get(t, c.server, ""); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What says that a registry is there says nothing of what it has.
func TestPingOfAnyStatus(t *testing.T) {
	for _, code := range []int{200, 403, 404, 405, 429, 500, 503} {
		_, err := get(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v2/" {
				w.WriteHeader(code)
			}
			io.WriteString(w, "{}")
		}), "")
		if err != nil {
			t.Errorf("%d: %v", code, err)
		}
	}
}

// A server that the registry leads to may want a token of its own, and does not
// learn the registry's.
func TestLoginElsewhere(t *testing.T) {
	var heard []string
	elsewhere := server{"", "Bearer E", []string{`Bearer realm="%s/token"`}, func(w http.ResponseWriter, r *http.Request) {
		heard = append(heard, r.Header.Get("Authorization"))
		io.WriteString(w, `{"token": "E"}`)
	}}
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/token") {
			heard = append(heard, r.Header.Get("Authorization"))
		}
		elsewhere.ServeHTTP(w, r)
	}))
	defer other.Close()
	_, err := get(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != me:
			server{ask: []string{"Basic"}, good: me}.ServeHTTP(w, r)
		case strings.Contains(r.URL.Path, "/manifests/"):
			http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
		}
	}), `{"auth": "`+base64.StdEncoding.EncodeToString([]byte("me:secret"))+`"}`)
	if want := []string{"", "", "Bearer E"}; err != nil || strings.Join(heard, ",") != strings.Join(want, ",") {
		t.Errorf("%v; the other heard %q, want %q", err, heard, want)
	}
}

// What stands before a registry compresses what nobody wants to be compressed.
func TestEncodedManifest(t *testing.T) {
	packed := "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00" // {}
	for _, c := range []struct{ encoding, body, fault string }{
		{"gzip", packed, ""},
		{"gzip", "{}", ""},
		{"identity", "{}", ""},
		{"br", "xx", "encoded as"},
	} {
		_, err := get(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v2/" {
				w.Header().Set("Content-Encoding", c.encoding)
				io.WriteString(w, c.body)
			}
		}), "")
		if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %v", c.encoding, err)
		}
	}
}
