package initsys

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFurnishSystemd(t *testing.T) {
	run := t.TempDir()
	if err := (Init{Name: "systemd"}).Furnish(run); err != nil {
		t.Fatal(err)
	}
	if err := (Init{Name: "systemd"}).KeepTmp(run); err != nil {
		t.Fatal(err)
	}
	if target, err := os.Readlink(filepath.Join(run, "systemd/system/tmp.mount")); target != "/dev/null" {
		t.Errorf("tmp.mount is %q, %v", target, err)
	}
	for _, m := range masked {
		if to, err := os.Readlink(filepath.Join(run, "systemd/system", m.unit)); to != "/dev/null" || m.why == "" {
			t.Errorf("%s: a link to %q, %v, because %q", m.unit, to, err, m.why)
		}
	}
	for _, f := range runtimeFiles {
		text, err := os.ReadFile(filepath.Join(run, f.path))
		if err != nil || !strings.HasPrefix(string(text), "[") || !strings.HasSuffix(string(text), "\n") {
			t.Errorf("%s: %q, %v", f.path, text, err)
		}
	}
}

// Others take /run/systemd/system for a sign that systemd runs.
func TestFurnishOthers(t *testing.T) {
	for _, name := range []string{"", "busybox", "openrc", "sysvinit"} {
		run := t.TempDir()
		if err := errors.Join((Init{Name: name}).Furnish(run), (Init{Name: name}).KeepTmp(run)); err != nil {
			t.Fatal(err)
		}
		if entries, err := os.ReadDir(run); err != nil || len(entries) > 0 {
			t.Errorf("%q: %v, %v", name, entries, err)
		}
	}
}

func TestWaitForFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "private")
	done := make(chan error, 1)
	go func() { done <- waitForFile(t.Context(), path) }()
	if err := os.WriteFile(path+".other", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".other", path); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := waitForFile(t.Context(), path); err != nil {
		t.Errorf("for what is there already: %v", err)
	}
}

func TestWaitForFileGivesUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- waitForFile(ctx, filepath.Join(t.TempDir(), "absent")) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if err := waitForFile(t.Context(), filepath.Join(t.TempDir(), "absent/absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a directory: %v, want ErrNotExist", err)
	}
}

// A systemd that has no time to answer has not booted.
func TestAwaitBootedAsksAgain(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	for last, want := range map[string]string{"running": "starting unknown running ", "degraded": "starting unknown degraded "} {
		answers := filepath.Join(dir, "answers")
		if err := os.WriteFile(answers, []byte("starting\nunknown\n"+last+"\nnot asked for\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		script := "#!/bin/sh\nread -r state <" + answers + "; sed -i 1d " + answers + "\necho \"$state\"; printf '%s ' \"$state\" >>" + dir + "/said; [ \"$state\" = running ]\n"
		if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := awaitBooted(t.Context()); err != nil {
			t.Error(err)
		}
		if said, err := os.ReadFile(dir + "/said"); string(said) != want {
			t.Errorf("it said %q, %v, want %q", said, err, want)
		}
		if err := os.Remove(dir + "/said"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWaitKnowsOnlySystemd(t *testing.T) {
	for _, name := range []string{"", "busybox", "openrc", "sysvinit", "dinit"} {
		if err := (Init{Name: name}).Wait(t.Context()); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}
