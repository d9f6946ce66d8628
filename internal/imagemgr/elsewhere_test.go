package imagemgr

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// A layer may be where its maker has it, and not in the registry.
func TestPullLayerFromElsewhere(t *testing.T) {
	layer := makeTar(t, file("file", "theirs"))
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/layer" || r.Header.Get("Authorization") != "" {
			http.NotFound(w, r)
			return
		}
		w.Write(layer)
	}))
	defer elsewhere.Close()
	for name, tt := range map[string]struct {
		places []string
		fault  string
	}{
		"the second of two": {[]string{elsewhere.URL + "/gone", elsewhere.URL + "/layer"}, ""},
		"gone":              {[]string{elsewhere.URL + "/gone"}, "there is no " + elsewhere.URL + "/gone"},
		"a plain server":    {[]string{"http://192.0.2.1/layer"}, "https"},
		"a file":            {[]string{"file:///etc/passwd"}, "file:///etc/passwd"},
		"none":              {nil, "has no blobs/"},
	} {
		t.Run(name, func(t *testing.T) {
			reference := serveWithout(t, layer, tt.places)
			s := quick(t)
			_, err := pull(t.Context(), s, reference, "a", nil)
			if tt.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fault) {
					t.Errorf("got %v, want %q", err, tt.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := debugfs(t, s.Rootfs("a"), "cat /file"); got != "theirs" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// serveWithout runs a registry with an image of a layer that is not there but, as it
// says, in the given places. It returns the reference.
func serveWithout(t *testing.T, layer []byte, places []string) string {
	p := pile{}
	var theirs v1.Descriptor
	d := p.image(func(m *v1.Manifest) {
		m.Layers[0].URLs, m.Layers[0].MediaType = places, types.OCIRestrictedLayer
		theirs = m.Layers[0]
	}, layer)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/app/"), "/")
		if id == "v1" {
			id = d.Digest.String()
		}
		data := p["blobs/"+strings.Replace(id, ":", "/", 1)]
		if data == nil && r.URL.Path != "/v2/" || id == theirs.Digest.String() {
			http.NotFound(w, r)
			return
		}
		w.Write(data)
	}))
	t.Cleanup(server.Close)
	return "docker://" + strings.TrimPrefix(server.URL, "http://") + "/app:v1"
}
