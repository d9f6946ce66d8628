package engine

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// What git runs here, since this host's configuration says so, no guest writes.
func TestSyncLeavesWhatGitObeys(t *testing.T) {
	e, here, there, o := bothSides(t)
	write := func(dir, name, text string) {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(here.dir, ".hooks/pre-commit", "#!/bin/sh\n")
	write(here.dir, "main.c", "1\n")
	for _, args := range [][]string{{"init", "-q"}, {"config", "core.hooksPath", ".hooks"}} {
		if out, err := exec.Command("git", append([]string{"-C", here.dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if _, err := e.Sync(t.Context(), "box", o); err != nil {
		t.Fatal(err)
	}
	write(there.dir, ".hooks/pre-commit", "#!/bin/sh\nevil\n")
	write(there.dir, ".hooks/post-checkout", "#!/bin/sh\nevil\n")
	write(there.dir, "main.c", "22\n")
	found, err := e.Sync(t.Context(), "box", o)
	if want := []string{".hooks/post-checkout", ".hooks/pre-commit"}; err != nil || !slices.Equal(found.Refused, want) || len(found.Pull) != 1 {
		t.Fatalf("%+v, %v", found, err)
	}
	if text, err := os.ReadFile(filepath.Join(here.dir, ".hooks/pre-commit")); string(text) != "#!/bin/sh\n" {
		t.Errorf("the hook is %q, %v", text, err)
	}
}
