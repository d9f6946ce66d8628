package mcp

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

const aToken = "0123456789abcdef"

// sender adds headers to requests.
type sender struct{ header http.Header }

func (s sender) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for key, values := range s.header {
		r.Header[key] = values
	}
	if host := s.header.Get("Host"); host != "" {
		r.Host = host
	}
	return http.DefaultTransport.RoundTrip(r)
}

func TestHTTP(t *testing.T) {
	d := newDesk(&fakeHost{t: t}, settings{max: 1})
	defer d.close()
	web := httptest.NewServer(handler(newServer(d), aToken))
	defer web.Close()
	connect := func(header http.Header) (*sdk.ClientSession, error) {
		return sdk.NewClient(&sdk.Implementation{Name: "test"}, nil).Connect(t.Context(),
			&sdk.StreamableClientTransport{Endpoint: web.URL, HTTPClient: &http.Client{Transport: sender{header}}}, nil)
	}
	for name, header := range map[string]http.Header{
		"no token":     {},
		"a wrong one":  {"Authorization": {"Bearer 0123456789abcdeg"}},
		"a part of it": {"Authorization": {"Bearer 01234567"}},
		"another site": {"Authorization": {"Bearer " + aToken}, "Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}},
		"another name": {"Authorization": {"Bearer " + aToken}, "Host": {"evil.example"}}, // which leads here by now
	} {
		if c, err := connect(header); err == nil {
			c.Close()
			t.Errorf("with %s: let in", name)
		}
	}
	c, err := connect(http.Header{"Authorization": {"Bearer " + aToken}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r, err := c.CallTool(t.Context(), &sdk.CallToolParams{Name: "run", Arguments: args{"command": "echo over http"}})
	if err != nil || !strings.Contains(r.Content[0].(*sdk.TextContent).Text, "over http") {
		t.Errorf("got %v, %v", r, err)
	}
}

func TestHTTPAddress(t *testing.T) {
	s := newServer(newDesk(&fakeHost{t: t}, settings{}))
	for _, address := range []string{"0.0.0.0:7777", ":7777", "192.0.2.1:1", "example.com:80", "[::]:1", "127.0.0.1"} {
		if err := serveHTTP(t.Context(), s, address, io.Discard); err == nil {
			t.Errorf("served at %s", address)
		}
	}
	t.Setenv(TokenVariable, "short")
	if err := serveHTTP(t.Context(), s, "127.0.0.1:0", io.Discard); err == nil {
		t.Error("took a short token")
	}
}
