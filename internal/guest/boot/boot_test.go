package boot

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// What clears the initramfs away must not reach into what is mounted there.
func TestClearDir(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to mount a file system")
	}
	dir := t.TempDir()
	for _, sub := range []string{"banger/modules", "deep/disk"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	disk := filepath.Join(dir, "deep/disk")
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, ""); err != nil {
		t.Skipf("needs to mount a file system: %v", err)
	}
	defer unix.Unmount(disk, unix.MNT_DETACH)
	for _, file := range []string{"init", "banger/settings.json", "deep/disk/precious", "deep/file"} {
		if err := os.WriteFile(filepath.Join(dir, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(disk, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	var stat unix.Stat_t
	if err := unix.Lstat(dir, &stat); err != nil {
		t.Fatal(err)
	}
	if err := clearDir(dir, stat.Dev); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"init": false, "banger": false, "link": false, "deep/file": false, "deep/disk/precious": true,
	} {
		if exists(filepath.Join(dir, name)) != want {
			t.Errorf("%s exists: %v, want %v", name, !want, want)
		}
	}
}
