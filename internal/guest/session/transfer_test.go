package session_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/agent"
	"banger/internal/agentapi"
)

func programOf(e agentapi.Exec) agent.Program { return agent.Program{Exec: e} }

func streamsTo(stdout, stderr *bytes.Buffer) agent.Streams {
	return agent.Streams{Stdout: stdout, Stderr: stderr}
}

func TestUntar(t *testing.T) {
	from, dir := t.TempDir(), filepath.Join(t.TempDir(), "made")
	if err := os.WriteFile(filepath.Join(from, "file"), []byte("hello"), 0o640); err != nil {
		t.Fatal(err)
	}
	client := dial(t, newSessions(nil), me(t).Username)
	if err := client.CopyDir(t.Context(), from, []string{".", "file"}, dir); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "file")); string(text) != "hello" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestUntarFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	files := []agent.File{{Name: "../out", Content: []byte("x")}}
	err := dial(t, newSessions(nil), me(t).Username).CopyFiles(t.Context(), t.TempDir(), files, dir)
	if want := "in the guest: unpack into " + dir + ": \"../out\": the name leads outside"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// What fails half-way is told after what came.
func TestTarFails(t *testing.T) {
	var out bytes.Buffer
	err := dial(t, newSessions(nil), me(t).Username).ReadRoot(t.Context(), &out)
	if err == nil || err.Error() != "in the guest: pack /etc: gone" || out.String() != "a part" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}
