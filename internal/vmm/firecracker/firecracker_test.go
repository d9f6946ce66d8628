package firecracker

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/jail"
	"banger/internal/kernel/kerneltest"
	"banger/internal/process"
	"banger/internal/usernet"
	"banger/internal/vmm"
	"banger/internal/vmm/kvm"
	"banger/internal/vmm/vmmtest"
)

// jailCommand makes the test's program the command that calls jail.Main.
const jailCommand = "jail"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == jailCommand {
		fmt.Fprintln(os.Stderr, jail.Main(os.Args[2:]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func options(binary string) Options {
	return Options{Binary: binary, Jail: []string{os.Args[0], jailCommand}}
}

// TestBackend is the suite on real guests.
func TestBackend(t *testing.T) {
	env := vmmtest.FromEnvironment(t)
	b := New(options(os.Getenv("FIRECRACKER_BIN")))
	if _, err := b.Probe(t.Context()); err != nil {
		t.Skip("needs a firecracker that works here: make e2e-firecracker; ", err)
	}
	vmmtest.Run(t, b, env)
}

// needJail skips where this host makes no jails.
func needJail(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(kvm.Device); err != nil {
		t.Skip("the jail gives access to it: ", err)
	}
	if err := jail.Try(t.Context(), []string{os.Args[0], jailCommand}); err != nil {
		t.Skip(err)
	}
}

// fakeFirecracker makes a program of a shell script.
func fakeFirecracker(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "firecracker")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func configFor(t *testing.T) vmm.Config {
	t.Helper()
	dir := t.TempDir()
	cfg := sample
	cfg.Dir, cfg.Disks = dir, nil
	cfg.Kernel, cfg.Initrd = filepath.Join(dir, "vmlinux"), filepath.Join(dir, "initrd")
	for path, content := range map[string][]byte{cfg.Kernel: kerneltest.Vmlinux("6.1"), cfg.Initrd: nil} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cfg
}

func network(t *testing.T) *usernet.Network {
	t.Helper()
	n, err := usernet.New(usernet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

func TestProbeFails(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		binary string
		is     func(error) bool
		want   string
	}{
		"missing":        {filepath.Join(dir, "absent"), func(err error) bool { return errors.As(err, new(*process.NotFoundError)) }, "there is no program"},
		"not executable": {plain, func(err error) bool { return errors.Is(err, fs.ErrPermission) }, plain},
		"too old":        {fakeFirecracker(t, "echo Firecracker v1.7.0"), func(err error) bool { return errors.As(err, new(*VersionError)) }, "is firecracker 1.7.0, and banger needs 1.8.0"},
		"another":        {fakeFirecracker(t, "echo hello"), func(error) bool { return true }, "does not say that it is a firecracker"},
		"broken":         {fakeFirecracker(t, "echo its library is missing >&2; exit 127"), func(error) bool { return true }, "its library is missing"},
	} {
		b := New(options(test.binary))
		_, err := b.Probe(t.Context())
		if err == nil || !test.is(err) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: Probe = %v", name, err)
		}
	}
}

// A firecracker in the user's own directory is found after those on PATH.
func TestFindsTheUsersOwn(t *testing.T) {
	own := fakeFirecracker(t, "")
	t.Setenv("PATH", "/nonexistent")
	b := backend{Options: Options{Dir: filepath.Dir(own)}}
	if path, err := b.find(); err != nil || path != own {
		t.Errorf("got %q, %v", path, err)
	}
	onPath := fakeFirecracker(t, "")
	t.Setenv("PATH", filepath.Dir(onPath))
	if path, err := b.find(); err != nil || path != onPath {
		t.Errorf("got %q, %v", path, err)
	}
}

func TestEnds(t *testing.T) {
	needJail(t)
	for name, test := range map[string]struct {
		script string
		want   string // of the ExitError, "" for none
	}{
		"guest":     {"echo hello; exit 0", ""},
		"complaint": {"echo a warning >&2; exit 0", ""},
		"failure": {"echo first >&2; echo '2026-01-01T00:00:00 [web:main] no memory' >&2; exit 1",
			"firecracker ended with exit status 1: no memory"},
		"repeated": {`echo '2026-01-01T00:00:00 [web:main] RunWithApiError error: The kernel file cannot be opened' >&2
			echo 'Error: RunWithApi(BuildFromJson(InvalidKernelPath))' >&2
			echo '2026-01-01T00:00:01 [web:main] Firecracker exiting with error. exit_code=1' >&2; exit 1`,
			"firecracker ended with exit status 1: RunWithApiError error: The kernel file cannot be opened"},
		"silence": {"exit 3", "firecracker ended with exit status 3"},
		"crash":   {"kill -SEGV $$", "firecracker ended with signal: segmentation fault"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := configFor(t)
			m, err := New(options(fakeFirecracker(t, test.script))).Start(t.Context(), cfg, network(t))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := m.Wait(); err != nil {
				if !errors.As(err, new(*vmm.ExitError)) {
					t.Errorf("Wait = %T", err)
				}
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("Wait = %q, want %q", got, test.want)
			}
			if left, _ := filepath.Glob(filepath.Join(cfg.Dir, "firecracker*")); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// TestSurroundings checks what Firecracker is given besides its configuration.
func TestSurroundings(t *testing.T) {
	needJail(t)
	t.Setenv("SECRET", "1")
	var console bytes.Buffer
	cfg := configFor(t)
	cfg.Console = &console
	script := "for fd in /proc/$$/fd/*; do readlink $fd; done; env; echo $@; test -r $2 && echo readable"
	m, err := New(options(fakeFirecracker(t, script))).Start(t.Context(), cfg, network(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Wait(); err != nil {
		t.Fatal(err)
	}
	got := console.String()
	if !strings.HasPrefix(got, "/dev/null\npipe:") || strings.Contains(got, "SECRET") || strings.Contains(got, "socket:") ||
		!strings.Contains(got, "--config-file "+configName) || !strings.HasSuffix(got, "readable\n") {
		t.Errorf("Firecracker has %s", got)
	}
}
