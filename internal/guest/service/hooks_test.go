package service

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Hooks run in order, one that fails keeps no other from it, and what is no
// program is none.
func TestHooks(t *testing.T) {
	dir, work := t.TempDir(), t.TempDir()
	for name, hook := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"20-second": {"#!/bin/sh\necho second $BANGER_GENERATION >> " + work + "/out\n", 0o755},
		"10-first":  {"#!/bin/sh\necho first >> " + work + "/out\nexit 3\n", 0o755},
		"30-readme": {"not a program", 0o644},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(hook.text), hook.mode); err != nil {
			t.Fatal(err)
		}
	}
	loop := filepath.Join(dir, "40-loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	note := filepath.Join(work, "run", "restored")
	err := runHooks(dir, note, "GEN")
	if err == nil || !strings.Contains(err.Error(), "10-first: exit status 3") || !strings.Contains(err.Error(), "40-loop") || strings.Contains(err.Error(), "30-") {
		t.Errorf("got %v", err)
	}
	for path, want := range map[string]string{filepath.Join(work, "out"): "first\nsecond GEN\n", note: "GEN\n"} {
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v", path, got, err)
		}
	}
	if err := runHooks(filepath.Join(dir, "absent"), note, "NEW"); err != nil {
		t.Error(err)
	}
	if err := runHooks(loop, note, "NEW"); err == nil {
		t.Error("hooks that cannot be looked for are not told of")
	}
}
