package vmm

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A program is asked once, until it is another one; a script is asked each time.
func TestVersions(t *testing.T) {
	dir := t.TempDir()
	notes := Versions(filepath.Join(dir, "cache", "versions.json"))
	program, script := filepath.Join(dir, "program"), filepath.Join(dir, "script")
	write := func(path, text string) {
		t.Helper()
		draft := path + ".new"
		if err := os.WriteFile(draft, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(draft, path); err != nil {
			t.Fatal(err)
		}
	}
	write(program, "\x7fELF one")
	write(script, "#!/bin/sh")
	asked := 0
	check := func(v Versions, path, says, want string, wantAsked int) {
		t.Helper()
		got, err := v.Of(path, func() (string, error) { asked++; return says, nil })
		if err != nil || got != want || asked != wantAsked {
			t.Errorf("the version is %q, %v, asked %d times; want %q, %d times", got, err, asked, want, wantAsked)
		}
	}
	check(notes, program, "1", "1", 1)
	check(notes, program, "not asked", "1", 1)
	write(program, "\x7fELF two")
	check(notes, program, "2", "2", 2)
	check(notes, program, "not asked", "2", 2)
	check(notes, script, "3", "3", 3)
	check(notes, script, "4", "4", 4)
	check("", program, "5", "5", 5)
	write(string(notes), "{")
	check(notes, program, "6", "6", 6)
	check(notes, program, "not asked", "6", 6)

	write(program, "\x7fELF three")
	failure := errors.New("it does not start")
	if _, err := notes.Of(program, func() (string, error) { return "", failure }); !errors.Is(err, failure) {
		t.Errorf("the error is %v", err)
	}
	check(notes, program, "7", "7", 7)
}
