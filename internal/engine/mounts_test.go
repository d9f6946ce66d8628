package engine

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"banger/internal/imagemgr"
	"banger/internal/statedir"
	"banger/internal/vm"
)

func TestMountsAreCompletedAndChecked(t *testing.T) {
	home := t.TempDir()
	own := filepath.Join(home, "state", "banger")
	project := filepath.Join(home, "project")
	for _, dir := range []string{own, project} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	os.WriteFile(filepath.Join(home, "file"), nil, 0o644)
	os.Symlink("state/banger", filepath.Join(home, "link"))
	e := New(Options{Dirs: statedir.Dirs{
		State: own, Config: filepath.Join(home, "config"), Cache: filepath.Join(home, "cache"), Data: filepath.Join(home, "data"), Kernels: filepath.Join(own, "kernels"),
	}})
	image := imagemgr.Image{Config: &imagemgr.Config{User: "app"}}
	for user, want := range map[string]string{"": "app", "dev": "dev"} {
		got, err := e.mounts([]vm.Mount{{Source: project, Target: "/w", User: user}}, image)
		if err != nil || got[0].User != want {
			t.Errorf("user %q: got %+v, %v", user, got, err)
		}
	}
	for name, isOwn := range map[string]bool{"": true, "state": true, "state/banger": true, "link": true, "file": false, "none": false} {
		_, err := e.mounts([]vm.Mount{{Source: filepath.Join(home, name), Target: "/w"}}, image)
		if err == nil || errors.As(err, new(*OwnStateError)) != isOwn {
			t.Errorf("%q: got %v", name, err)
		}
	}
}
