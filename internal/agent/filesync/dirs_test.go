package filesync

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
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

// What cannot be looked at is not taken for removed: then it would be on the other side.
func TestWhatCannotBeLookedAtIsNotGone(t *testing.T) {
	top := t.TempDir()
	names := []string{strings.Repeat("x", 300) + "/file"} // for which the kernel does not look
	if state, err := Look(top, names); err == nil {
		t.Errorf("Look: %v", state)
	}
	if state, err := Hash(t.Context(), top, names); err == nil {
		t.Errorf("Hash: %v", state)
	}
	if err := os.Symlink("/etc", filepath.Join(top, "out")); err != nil {
		t.Fatal(err)
	}
	gone := []string{"absent", "absent/file", "out/passwd"}
	if state, err := Look(top, gone); err != nil || len(state) > 0 {
		t.Errorf("what is gone: %v, %v", state, err)
	}
	for _, errno := range []unix.Errno{unix.EIO, unix.EACCES, unix.EMFILE, unix.ENOMEM, unix.ESTALE} {
		if isGone(&os.PathError{Err: errno}) {
			t.Errorf("%v says that a file is gone", errno)
		}
	}
}
