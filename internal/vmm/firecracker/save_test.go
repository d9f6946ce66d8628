package firecracker

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/vmm"
)

func TestSaveOverwritesNothing(t *testing.T) {
	for _, name := range []string{memoryFile, stateFile} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte("other"), 0o600); err != nil {
			t.Fatal(err)
		}
		m := newMachine(vmm.Config{Dir: t.TempDir()})
		if _, err := m.Save(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "is there already") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A memory that ends early would kill Firecracker later.
func TestCheckMemory(t *testing.T) {
	dir := t.TempDir()
	if err := checkMemory(dir, 1); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
	path := filepath.Join(dir, memoryFile)
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := checkMemory(dir, 1); err != nil {
		t.Error(err)
	}
	if err := checkMemory(dir, 2); err == nil {
		t.Error("half of a memory is believed")
	}
}
