package statedir

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// flushed has the names of what f flushes, relative to dir.
func flushed(t *testing.T, dir string, f func() error) []string {
	t.Helper()
	before := flushFile
	defer func() { flushFile = before }()
	var mu sync.Mutex // many may be flushed at once
	var names []string
	flushFile = func(f *os.File) error {
		name, err := filepath.Rel(dir, f.Name())
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		names = append(names, name)
		mu.Unlock()
		return before(f)
	}
	if err := f(); err != nil {
		t.Fatal(err)
	}
	return names
}

// What gives, changes or takes a name flushes the directory that it is in, last.
func TestNamesAreFlushed(t *testing.T) {
	tree := testTree(t)
	top := filepath.Dir(tree.Dir)
	stage := stageWith(t, tree, "one")
	second := stageWith(t, tree, "two")
	for _, tt := range []struct {
		what string
		do   func() error
		want string
	}{
		{"publish", func() error { return stage.Publish("a") }, "things"},
		{"replace", func() error { return second.Replace("a") }, "things"},
		{"rename", func() error { return tree.Rename("a", "b") }, "things"},
		{"write", func() error { return WriteJSON(tree.Path("b", "new"), 1) }, "things/b"},
		{"rewrite", func() error { return WriteJSON(tree.Path("b", "new"), 2) }, "things/b"},
		{"remove", func() error { return tree.Remove("b") }, "things"},
		{"make a directory", func() error { return MakeDir(filepath.Join(top, "x", "y")) }, "x"},
	} {
		names := flushed(t, top, tt.do)
		if len(names) == 0 || names[len(names)-1] != tt.want {
			t.Errorf("%s flushed %q, and not %q at its end", tt.what, names, tt.want)
		}
	}
	if names := flushed(t, top, func() error { return MakeDir(filepath.Join(top, "p", "q")) }); !slices.Equal(names, []string{".", "p"}) {
		t.Errorf("making two directories flushed %q", names)
	}
}

// onDisk mounts a file system of its own, and returns its directory and a
// function that cuts the power and mounts it again.
func onDisk(t *testing.T) (dir string, cut func()) {
	t.Helper()
	image, dir := filepath.Join(t.TempDir(), "disk"), t.TempDir()
	run := func(args ...string) {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Skipf("no file system of its own can be mounted here: %v: %s", err, out)
		}
	}
	run("truncate", "-s", "32M", image)
	run("mkfs.ext4", "-q", image)
	// The file system is not to flush anything by itself.
	run("mount", "-o", "loop,commit=900", image, dir)
	t.Cleanup(func() { unix.Unmount(dir, 0) })
	return dir, func() {
		if err := shutDown(dir); err != nil {
			t.Skipf("this file system cannot be shut down: %v", err)
		}
		if err := unix.Unmount(dir, 0); err != nil {
			t.Fatal(err)
		}
		run("mount", "-o", "loop,commit=900", image, dir)
	}
}

// shutDown is a power cut: nothing that is not on the disk yet gets there.
func shutDown(dir string) error {
	const (
		shutdown = 0x8004587d // EXT4_IOC_SHUTDOWN
		noFlush  = 2          // EXT4_GOING_FLAGS_NOLOGFLUSH
	)
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	flags := uint32(noFlush)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), shutdown, uintptr(unsafe.Pointer(&flags)))
	if errno != 0 {
		return errno
	}
	return nil
}

// What banger said it had done is done after a power cut.
func TestPowerCut(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a file system")
	}
	dir, cut := onDisk(t)
	tree := Tree{Kind: "thing", Dir: filepath.Join(dir, "state", "things")}
	steps := []struct {
		what string
		do   func() error
		ok   func() bool
	}{
		{"publish", func() error { return stageWith(t, tree, "one").Publish("a") }, func() bool { return contentOf(t, tree, "a") == "one" }},
		{"replace", func() error { return stageWith(t, tree, "two").Replace("a") }, func() bool { return contentOf(t, tree, "a") == "two" }},
		{"rename", func() error { return tree.Rename("a", "b") }, func() bool { return !tree.Exists("a") && contentOf(t, tree, "b") == "two" }},
		{"write", func() error { return WriteFile(tree.Path("b", "file"), []byte("three")) }, func() bool { return contentOf(t, tree, "b") == "three" }},
		{"remove", func() error { return tree.Remove("b") }, func() bool {
			_, err := os.Stat(tree.Path("b"))
			return errors.Is(err, fs.ErrNotExist)
		}},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		cut()
		if !step.ok() {
			t.Errorf("%s: a power cut undid it", step.what)
		}
		tree.Sweep()
		names, err := tree.Names()
		if err != nil {
			t.Fatal(err)
		}
		wantOnly(t, tree, names...)
	}
}
