// Package scripts runs the project's scripts in a fresh clone, on a machine that
// lacks all that they need: they may fail there, and never without a word.
package scripts

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const root = "../.."

// tools are what every Debian machine has.
var tools = strings.Fields("awk basename bash cat chmod cmp cp cut date dirname env find grep head id ln ls mkdir mktemp mv " +
	"nproc paste realpath rm sed sha256sum sleep sort stat tail tee timeout touch tr true uname wc xargs")

// freshClone copies what is in the repository as far as scripts look at it.
func freshClone(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{".ci", "configs", "images", "scripts"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(root, name))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"go.mod", "Makefile"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// bareMachine returns a PATH with the tools and nothing else but what stubs has.
func bareMachine(t *testing.T, stubs map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for _, tool := range tools {
		path, err := exec.LookPath(tool)
		if err == nil {
			err = os.Symlink(path, filepath.Join(dir, tool))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range stubs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestNoScriptEndsSilently(t *testing.T) {
	scripts, err := filepath.Glob(filepath.Join(root, "scripts", "[a-km-z]*.sh")) // all but lib.sh
	if err != nil || len(scripts) == 0 {
		t.Fatal(scripts, err)
	}
	// What passes for these does nothing, and mostly without a word.
	path := bareMachine(t, map[string]string{
		"banger": "exit 1", "firecracker": "exit 0", "go": `[ "$1" = version ] && echo go version go1.99.0 || { echo go cannot >&2; exit 1; }`,
		"make": "exit 1", "docker": "exit 1", "jq": "exit 1", "apt-get": "exit 1", "sudo": "exit 1",
	})
	for _, script := range append(scripts, ".ci/run") {
		name := strings.TrimPrefix(script, root+"/")
		for _, args := range [][]string{nil, {filepath.Join(path, "banger")}, {filepath.Join(path, "banger"), "x"}} {
			t.Run(name+" "+strings.Repeat("x", len(args)), func(t *testing.T) { wantWords(t, path, name, args) })
		}
	}
}

func wantWords(t *testing.T, path, script string, args []string) {
	dir := freshClone(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(path, "bash"), append([]string{script}, args...)...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + path, "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir()}
	cmd.WaitDelay = time.Second
	var said strings.Builder
	cmd.Stderr = &said
	printed, err := cmd.Output()
	if err != nil && !errors.As(err, new(*exec.ExitError)) || ctx.Err() != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	if len(printed)+said.Len() == 0 && (err != nil || len(args) > 0) {
		t.Errorf("%v, and not a word", err)
	}
	if err == nil && strings.Contains(said.String(), "unknown") {
		t.Errorf("it passes, and says %q", said.String())
	}
}
