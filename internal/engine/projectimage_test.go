package engine

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"banger/internal/devfile"
)

// A script is the project's, whatever has become of its name since the file was read.
func TestTakeScript(t *testing.T) {
	dir := t.TempDir()
	s := devfile.Spec{Dir: dir, Script: filepath.Join(dir, "build", "setup.sh")}
	for name, tt := range map[string]struct {
		make func() error
		want string // of the error
	}{
		"a file":    {func() error { return os.WriteFile(s.Script, []byte("echo"), 0o644) }, ""},
		"a link":    {func() error { return os.Symlink("../other.sh", s.Script) }, ""},
		"one out":   {func() error { return os.Symlink("/etc/passwd", s.Script) }, "escapes"},
		"a pipe":    {func() error { return syscall.Mkfifo(s.Script, 0o600) }, "is not a file"},
		"its place": {func() error { os.Remove(filepath.Dir(s.Script)); return os.Symlink("/etc", filepath.Dir(s.Script)) }, "escapes"},
	} {
		t.Run(name, func(t *testing.T) {
			os.RemoveAll(filepath.Dir(s.Script))
			if err := os.Mkdir(filepath.Dir(s.Script), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "other.sh"), []byte("echo"), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := tt.make(); err != nil {
				t.Fatal(err)
			}
			at, err := takeScript(s, filepath.Join(t.TempDir(), "mine"))
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v", err)
				}
				return
			}
			if text, readErr := os.ReadFile(at); err != nil || readErr != nil || string(text) != "echo" || filepath.Base(at) != "setup.sh" {
				t.Errorf("got %s with %q, %v", at, text, err)
			}
		})
	}
}
