package session

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// What is not there is told from what cannot be looked for, as shells do.
func TestLookPath(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	loop := filepath.Join(dir, "loop")
	if err := errors.Join(os.WriteFile(file, nil, 0o644), os.Symlink("loop", loop)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{
		filepath.Join(dir, "absent"):   errNotFound,
		filepath.Join(file, "program"): errNotFound,
		file:                           os.ErrPermission,
		loop:                           unix.ELOOP,
	} {
		if _, err := lookPath(name, nil, "/"); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		wantDir := want
		if name == file {
			wantDir = errNotFound
		}
		if err := checkDir(name); !errors.Is(err, wantDir) {
			t.Errorf("as a directory, %s: %v, want %v", name, err, wantDir)
		}
	}
	if _, err := lookPath("program", []string{"PATH=" + file + ":" + loop}, "/"); !errors.Is(err, unix.ELOOP) {
		t.Errorf("by a PATH that cannot be followed: %v", err)
	}
}
