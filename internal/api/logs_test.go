package api

import (
	"os"
	"path/filepath"
	"testing"

	"banger/internal/statedir"
)

// A client may ask for a log's last lines: for none too, which is not all of them.
func TestLogTail(t *testing.T) {
	s, server := newServer(t)
	dir := filepath.Join(s.engine.Dirs.State, "vms", "box")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"vm.json":           `{"name": "box", "state": {"phase": "stopped"}}`,
		statedir.ConsoleLog: "a\nb\nc\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]string{"": "a\nb\nc\n", "?tail=2": "b\nc\n", "?tail=0": "", "?tail=9": "a\nb\nc\n"} {
		if status, _, text := ask(t, server, "GET", "/v1/vms/box/logs"+query, ""); status != 200 || text != want {
			t.Errorf("%s: %d %q", query, status, text)
		}
	}
	if status, _, text := ask(t, server, "GET", "/v1/vms/box/logs?tail=-1", ""); status != 400 {
		t.Errorf("less than no lines: %d %s", status, text)
	}
}
