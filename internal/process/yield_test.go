package process

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An idle child has the lowest priority, and this process keeps its own.
func TestIdle(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ended, err := StartDetached(Cmd{Args: []string{"sh", "-c", "sh -c nice"}, Stdout: f, Stderr: f, Idle: true})
	if err != nil {
		t.Fatal(err)
	}
	<-ended
	if got, err := os.ReadFile(out); err != nil || strings.TrimSpace(string(got)) != "19" {
		t.Errorf("its niceness is %q, %v", got, err)
	}
	if got, err := Output(t.Context(), "nice"); err != nil || strings.TrimSpace(string(got)) == "19" {
		t.Errorf("this process's niceness is %q, %v", got, err)
	}
}

func TestFreeMemory(t *testing.T) {
	if free, err := FreeMemory(); err != nil || free < 1<<20 {
		t.Errorf("got %d, %v", free, err)
	}
	dir := t.TempDir()
	for file, text := range map[string]string{"memory.max": "1000\n", "memory.current": "900\n"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := groupMemory(dir); got != 100 {
		t.Errorf("a group has %d left", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "memory.max"), []byte("max\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := groupMemory(dir); got < 1<<60 {
		t.Errorf("a group without a limit has %d left", got)
	}
}
