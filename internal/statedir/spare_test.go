package statedir

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSpare(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("a file system cannot be mounted here: ", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	spare := NewSpare(dir, 64<<10)
	defer spare.Close()
	state := filepath.Join(dir, "state")
	write := func(text string) error {
		return spare.Use(func() error { return WriteFile(state, []byte(text)) })
	}
	if err := write("before"); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(dir, "filler")
	fill := func() {
		f, err := os.OpenFile(filler, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for err == nil {
			_, err = f.Write(make([]byte, 4096))
		}
	}
	fill()
	if err := WriteFile(state, []byte("x")); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	if err := write("full"); err != nil {
		t.Errorf("with a spare: %v", err)
	}
	fill()
	if err := write("again"); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("without one: %v", err)
	}
	if text, _ := os.ReadFile(state); string(text) != "full" {
		t.Errorf("the state is %q", text)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := write("free"); err != nil || spare.file == nil {
		t.Errorf("there is no spare again: %v", err)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 1 {
		t.Errorf("%d files are there", len(entries))
	}
}
