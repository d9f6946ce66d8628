package engine

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// What git tracks in a directory that it ignores is not taken for removed, once the
// directory is known to be ignored.
func TestSyncTrackedInIgnored(t *testing.T) {
	e, here, there, o := bothSides(t)
	script := `mkdir -p "$1/build/deep"; cd "$1"; git init -q; echo build/ >.gitignore; touch build/tracked build/not; git add -f build/tracked; git add .`
	if out, err := exec.Command("sh", "-ec", script, "sh", here.dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for round := range 4 {
		found, err := e.Sync(t.Context(), "box", o)
		if err != nil || round > 0 && len(found.Push)+len(found.Pull)+len(found.Conflicts) > 0 {
			t.Fatalf("round %d: %+v, %v", round, found, err)
		}
		if err := os.MkdirAll(filepath.Join(there.dir, "build", "made", "there"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(there.dir, "build", "made", "object"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]bool{"build/tracked": true, "build/not": true, "build/made/object": false} {
		if _, err := os.Stat(filepath.Join(here.dir, name)); (err == nil) != want {
			t.Errorf("%s here: %v", name, err)
		}
	}
}
