package filesync

import (
	"errors"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A guest that has the directory mounted may put a pipe where a directory was.
func TestDirectoryThatBecameAPipe(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, "below"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := openDirs(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if _, err := d.open("below"); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("got %v", err)
	}
}
