package engine

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What keeps a patch from being written is its error, and not that git has nobody to
// write to.
func TestPatchThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	for _, side := range []string{"a", "b"} {
		if err := os.Mkdir(filepath.Join(dir, side), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, side, "file"), bytes.Repeat([]byte(side+"\n"), 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	full := errors.New("full")
	if err := diff(t.Context(), dir, fullWriter{full}); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	var patch strings.Builder
	if err := diff(t.Context(), dir, &patch); err != nil || !strings.Contains(patch.String(), "\n+b\n") {
		t.Errorf("%d bytes, %v", patch.Len(), err)
	}
}

type fullWriter struct{ err error }

func (w fullWriter) Write([]byte) (int, error) { return 0, w.err }
