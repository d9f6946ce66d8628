package statedir

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// outside are the two ways to make a file: where a file system knows files without
// names, and where it does not.
var outside = map[string]func(string, func(*os.File) error) error{"unnamed": CreateOutside, "staged": createStaged}

func TestCreateOutside(t *testing.T) {
	for way, create := range outside {
		t.Run(way, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "out [1]")
			fill := func(f *os.File) error { _, err := f.WriteString("all of it"); return err }
			broken := errors.New("broken")
			if err := create(path, func(f *os.File) error { fill(f); return broken }); !errors.Is(err, broken) {
				t.Errorf("broken: %v", err)
			}
			wantNames(t, dir)
			if err := create(path, fill); err != nil {
				t.Fatal(err)
			}
			wantNames(t, dir, "out [1]")
			if err := create(path, func(*os.File) error { return nil }); err == nil {
				t.Error("a file that is there is replaced")
			}
			if got, err := os.ReadFile(path); string(got) != "all of it" {
				t.Errorf("got %q, %v", got, err)
			}
			if err := create(filepath.Join(dir, "none", "out"), fill); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("no directory: %v", err)
			}
		})
	}
}

// In a user's directory nothing is swept up but what a dead export left.
func TestStageOutsideSweeps(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{outsidePrefix + "1", trashPrefix + "1000", stagePrefix + "mine"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{outsidePrefix + "1" + lockSuffix, outsidePrefix + "2" + lockSuffix, newPrefix + "mine", lockPrefix + "mine"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first, err := StageOutside(filepath.Join(dir, "first"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := StageOutside(filepath.Join(dir, "second")) // which leaves alone what the first holds
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range []*Stage{first, second} {
		if err := os.WriteFile(stage.Path("index.json"), nil, 0o600); err != nil {
			t.Error(err)
		}
	}
	if err := first.Publish("first"); err != nil {
		t.Error(err)
	}
	if err := second.Publish("first"); !errors.Is(err, ErrExist) {
		t.Errorf("published twice: %v", err)
	}
	second.Discard()
	wantNames(t, dir, lockPrefix+"mine", newPrefix+"mine", stagePrefix+"mine", trashPrefix+"1000", "first")
}

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("there are %q, want %q", got, want)
	}
}
