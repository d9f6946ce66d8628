package cli

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"banger/internal/engine"
	"banger/internal/process"
	"banger/internal/statedir"
)

func TestOutOfInodes(t *testing.T) {
	for _, tt := range []struct {
		name, op string
		st       unix.Statfs_t
		want     bool
	}{
		{"no inodes", "", unix.Statfs_t{Blocks: 1000, Bavail: 900, Files: 100, Ffree: 0}, true},
		{"few left after the clean-up", "open", unix.Statfs_t{Blocks: 1000, Bavail: 900, Files: 100, Ffree: 40}, true},
		{"a write needs none", "write", unix.Statfs_t{Blocks: 1000, Bavail: 900, Files: 100, Ffree: 0}, false},
		{"no blocks", "write", unix.Statfs_t{Blocks: 1000, Bavail: 0, Files: 100, Ffree: 90}, false},
		{"no block for a directory", "mkdir", unix.Statfs_t{Blocks: 1000, Bavail: 0, Files: 100, Ffree: 90}, false},
		{"inodes as needed", "open", unix.Statfs_t{Blocks: 1000, Bavail: 900}, false},
	} {
		if got := outOfInodes(tt.op, tt.st); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
}

// The hint names what is there of the path that the error names, else the state.
func TestNoSpaceHint(t *testing.T) {
	state, elsewhere := t.TempDir(), t.TempDir()
	a := &app{engine: engine.New(engine.Options{Dirs: statedir.Dirs{State: filepath.Join(state, "not", "made")}})}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{syscall.ENOSPC, state},
		{fmt.Errorf("x: %w", &fs.PathError{Op: "write", Path: filepath.Join(elsewhere, "gone", "file"), Err: syscall.ENOSPC}), elsewhere},
		{&fs.PathError{Op: "write", Path: "relative", Err: syscall.ENOSPC}, state},
		{fmt.Errorf("x: %w", &process.Error{Program: "mkfs.ext4", Stderr: "mkfs.ext4: No space left on device"}), state},
	} {
		if got, want := a.hint(tt.err), "free some space in "+tt.want+"; nothing was left behind"; got != want {
			t.Errorf("%v: got %q", tt.err, got)
		}
	}
	copied := fmt.Errorf("copy: %w", &engine.FullError{Dir: filepath.Join(elsewhere, "dir"), Err: syscall.ENOSPC})
	if got, want := a.hint(copied), "free some space in "+elsewhere+"; files that are there are whole"; got != want {
		t.Errorf("of a copy: got %q", got)
	}
}
