// Package ext4test makes images for the tests of what needs one.
package ext4test

import (
	"os"
	"path/filepath"
	"testing"

	"banger/internal/format/ext4"
)

// Empty returns the path of a file with a file system that holds nothing.
func Empty(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rootfs")
	Write(t, path)
	return path
}

// Write makes a file with a file system that holds nothing.
func Write(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := ext4.NewWriter(f, ext4.Options{})
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
