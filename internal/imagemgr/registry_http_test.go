package imagemgr

import (
	"net/http"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
)

type answers struct{}

func (answers) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

// No redirect and no token endpoint leads from https to plain http.
func TestRegistryPlainHTTP(t *testing.T) {
	for _, c := range []struct {
		registry, url string
		good          bool
	}{
		{"example.com", "https://cdn.example.net/x", true},
		{"example.com", "http://example.com/v2/", false},
		{"example.com", "http://cdn.example.net/x", false},
		{"10.0.0.1:5000", "http://10.0.0.1:5000/v2/", true},
		{"10.0.0.1:5000", "http://10.0.0.2:5000/token", false},
		{"localhost:5000", "http://127.0.0.1:5000/v2/", true},
	} {
		repo, err := name.NewRepository(c.registry + "/x")
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := rateLimits{repo, answers{}}.RoundTrip(req)
		if err == nil {
			resp.Body.Close()
		}
		if (err == nil) != c.good {
			t.Errorf("%s of %s: error %v", c.url, c.registry, err)
		}
	}
}
