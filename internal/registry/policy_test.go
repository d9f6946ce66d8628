package registry

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
)

type answers struct{}

func (answers) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

// No registry but those on loopback addresses is spoken to in plain http that
// the user has not named, and none leads anywhere by it.
func TestRegistryPlainHTTP(t *testing.T) {
	for _, c := range []struct {
		registry, url  string
		good, insecure bool // insecure is whether --insecure allows it
	}{
		{"example.com", "https://cdn.example.net/x", true, true},
		{"example.com", "http://example.com/v2/", false, true},
		{"example.com", "http://cdn.example.net/x", false, false},
		{"10.0.0.1:5000", "http://10.0.0.1:5000/v2/", false, true},
		{"10.0.0.1:5000", "https://10.0.0.1:5000/v2/", true, true},
		{"10.0.0.1:5000", "http://10.0.0.2:5000/token", false, false},
		{"box.local:5000", "http://box.local:5000/v2/", false, true},
		{"localhost:5000", "http://127.0.0.1:5000/v2/", true, true},
	} {
		for _, insecure := range []bool{false, true} {
			repo, err := name.NewRepository(c.registry + "/x")
			if err != nil {
				t.Fatal(err)
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := (&policy{repo: repo, insecure: insecure, next: answers{}}).RoundTrip(req)
			if err == nil {
				resp.Body.Close()
			}
			want := c.good
			if insecure {
				want = c.insecure
			}
			if (err == nil) != want {
				t.Errorf("%s of %s, insecure %v: error %v", c.url, c.registry, insecure, err)
			}
		}
	}
}

// A registry that has plain http only is told from one that does not answer.
func TestPlainHTTPError(t *testing.T) {
	repo, err := name.NewRepository("box.example:5000/x")
	if err != nil {
		t.Fatal(err)
	}
	err = Explain(repo, fmt.Errorf("ping: %w", http.ErrSchemeMismatch))
	if _, ok := errors.AsType[*PlainHTTPError](err); !ok {
		t.Errorf("got %v", err)
	}
}
