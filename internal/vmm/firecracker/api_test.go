package firecracker

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/statedir"
)

// serveAPI answers on a socket as handler does, and returns its path. A real
// Firecracker cannot be made to answer wrongly.
func serveAPI(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), strings.Repeat("long", 30), "api.sock")
	if err := os.Mkdir(filepath.Dir(socket), 0o700); err != nil {
		t.Fatal(err)
	}
	listener, err := statedir.ListenSocket(socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return socket
}

func TestAPIRequest(t *testing.T) {
	var got string
	socket := serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.Method + " " + r.URL.Path + " " + r.Header.Get("Content-Type") + " " + string(body)
		w.WriteHeader(http.StatusNoContent)
	})
	for _, state := range []string{paused, resumed} {
		if err := newAPI(socket).setState(t.Context(), state); err != nil {
			t.Fatal(err)
		}
		if want := `PATCH /vm application/json {"state":"` + state + `"}`; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
	}
}

func TestAPIRefuses(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		want   string
	}{
		"its own words":  {400, `{"fault_message":"Invalid state."}`, "Invalid state."},
		"no JSON":        {500, "oops", "500 Internal Server Error"},
		"no message":     {400, `{}`, "400 Bad Request"},
		"another status": {200, `{}`, "200 OK"},
		"without end":    {400, `{"fault_message":"` + strings.Repeat("x", maxFault), "400 Bad Request"},
	}
	for name, test := range tests {
		socket := serveAPI(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(test.status)
			io.WriteString(w, test.body)
		})
		err := newAPI(socket).setState(t.Context(), paused)
		if want := "firecracker refuses PATCH /vm: " + test.want; err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}

func TestAPIUnreachable(t *testing.T) {
	err := newAPI(filepath.Join(t.TempDir(), "none")).setState(t.Context(), paused)
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no socket: %v", err)
	}
	begun := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	socket := serveAPI(t, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	})
	go func() { <-begun; cancel() }()
	if err := newAPI(socket).setState(ctx, paused); !errors.Is(err, context.Canceled) {
		t.Errorf("no answer: %v", err)
	}
}
