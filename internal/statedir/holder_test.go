package statedir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKillHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if err := KillHolder(path); err == nil {
		t.Error("a lock that is not there was found")
	}
	lock, err := TryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	// This process holds it, and is not killed.
	if err := KillHolder(path); err == nil || !strings.Contains(err.Error(), "no process of yours") {
		t.Errorf("got %v", err)
	}
	lock.Release()
	if err := KillHolder(path); err != nil {
		t.Errorf("nobody holds it: %v", err)
	}
}

func TestHolds(t *testing.T) {
	dir := t.TempDir()
	held, free := filepath.Join(dir, "held"), filepath.Join(dir, "free")
	lock, err := TryLock(held)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	f, err := os.Create(free) // open here, and not locked
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for path, want := range map[string]bool{held: true, free: false} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := holds(os.Getpid(), info); got != want {
			t.Errorf("holds %s: %v", path, got)
		}
	}
}
