// Package vmmtest is the suite that every backend passes: it boots real guests
// and checks the contract of package vmm on them.
//
// It needs a kernel, for which make test provides, and skips without one.
package vmmtest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"banger/internal/vmm"
)

// Env is what the suite needs from outside.
type Env struct {
	Kernel  string // a vmlinux
	Modules string // a directory with its modules, as modules.Index left it, or ""
	Guest   string // the guest's program, testdata/guest, where it is built already, or ""
}

// FromEnvironment returns what BANGER_TEST_KERNEL, BANGER_TEST_MODULES and
// BANGER_TEST_GUEST name, or skips the test.
func FromEnvironment(t *testing.T) Env {
	t.Helper()
	env := Env{os.Getenv("BANGER_TEST_KERNEL"), os.Getenv("BANGER_TEST_MODULES"), os.Getenv("BANGER_TEST_GUEST")}
	if env.Kernel == "" {
		t.Skip("needs BANGER_TEST_KERNEL, a vmlinux, and BANGER_TEST_MODULES: run make test")
	}
	return env
}

type suite struct {
	backend vmm.Backend
	env     Env
	initrd  string
}

// Run runs the suite against a backend that works on this host.
func Run(t *testing.T, backend vmm.Backend, env Env) {
	info, err := backend.Probe(t.Context())
	if err != nil {
		t.Fatalf("Probe: %v", err)
	}
	t.Logf("%+v", info)
	if info.Backend == "" || info.Version == "" || !filepath.IsAbs(info.Path) || info.Accel == "" {
		t.Errorf("Probe = %+v, which leaves something out", info)
	}
	s := &suite{backend, env, buildInitrd(t, env)}
	t.Run("boot", s.testBoot)
	t.Run("panic", s.testPanic)
	t.Run("shared disk", s.testSharedDisk)
	t.Run("pause", s.testPause)
	t.Run("save", s.testSave)
	t.Run("save busy", s.testSaveBusy)
	t.Run("bad state", s.testBadState)
	t.Run("kill", s.testKill)
	t.Run("cancel", s.testCancel)
	t.Run("killed from outside", s.testKilledFromOutside)
	t.Run("cannot start", s.testCannotStart)
}

// testBoot boots, checks what the guest finds, and lets it reboot.
func (s *suite) testBoot(t *testing.T) {
	cfg := s.config(t)
	g := s.boot(t, cfg)
	g.tell("write")
	if m := g.hear(); m.text != "done write" {
		t.Fatalf("the guest answered %q", m.text)
	}
	checkStart(t, cfg.Disks[0].Path, 0)
	checkStart(t, cfg.Disks[1].Path, 'g')

	g.tell("reboot")
	if err := g.end(); err != nil {
		t.Errorf("a guest's reboot ends as %v", err)
	}
	// Only now has all of the console arrived.
	for _, line := range []string{
		"cpus 0-1",
		"nic " + cfg.MAC.String(),
		"disk vda sectors=2048 ro=1",
		"disk vdb sectors=4096 ro=0",
		"disk vdc sectors=6144 ro=1",
	} {
		if !g.console.has(line) {
			t.Errorf("the guest did not say %q", line)
		}
	}
	if !strings.Contains(g.console.String(), " vmmtest=1") {
		t.Error("the guest's command line lacks the config's")
	}
	if !g.console.has("write vdb: <nil>") || g.console.has("write vda: <nil>") {
		t.Error("the guest wrote to the wrong disks")
	}
	g.Kill()
	if err := g.Wait(); err != nil {
		t.Errorf("Kill after the end makes Wait return %v", err)
	}
}

// checkStart checks the first sector of a disk.
func checkStart(t *testing.T, path string, want byte) {
	t.Helper()
	const sector = 512
	if got := readFile(t, path)[:sector]; !bytes.Equal(got, bytes.Repeat([]byte{want}, sector)) {
		t.Errorf("%s begins with %q", filepath.Base(path), got[:8])
	}
}

func (s *suite) testPanic(t *testing.T) {
	g := s.boot(t, s.config(t))
	g.tell("panic")
	if err := g.end(); err != nil {
		t.Errorf("a guest's panic ends as %v", err)
	}
	if !strings.Contains(g.console.String(), "Kernel panic") {
		t.Error("the console does not show it")
	}
}

// testSharedDisk runs two guests on one read-only disk, and lets one be killed.
func (s *suite) testSharedDisk(t *testing.T) {
	one, other := s.config(t), s.config(t)
	if err := os.Chmod(one.Disks[0].Path, 0o400); err != nil {
		t.Fatal(err)
	}
	other.Disks[0] = one.Disks[0]
	first, second := s.boot(t, one), s.boot(t, other)
	first.Kill()
	var exit *vmm.ExitError
	if err := first.end(); !errors.As(err, &exit) {
		t.Errorf("Wait after Kill = %v, want an ExitError", err)
	}
	second.tell("reboot")
	if err := second.end(); err != nil {
		t.Errorf("the other guest ended as %v", err)
	}
}

// stillness is how long a paused guest is watched: one that runs answers within
// milliseconds, emulated or not.
const stillness = time.Second

// testPause holds a guest still that has an order to obey.
func (s *suite) testPause(t *testing.T) {
	g := s.boot(t, s.config(t))
	for _, do := range []func(context.Context) error{g.Pause, g.Pause} {
		if err := do(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	g.tell("nothing")
	select {
	case m := <-g.messages:
		t.Errorf("a paused guest says %q", m.text)
	case <-g.waited:
		t.Fatalf("pausing ended the machine: %v", g.err)
	case <-time.After(stillness):
	}
	if err := g.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m := g.hear(); m.text != "done nothing" {
		t.Errorf("the guest goes on with %q", m.text)
	}
}

func (s *suite) testKill(t *testing.T) {
	s.checkEnd(t, func(g *guest, _ func()) { g.Kill() })
}

func (s *suite) testCancel(t *testing.T) {
	s.checkEnd(t, func(_ *guest, cancel func()) { cancel() })
}

func (s *suite) testKilledFromOutside(t *testing.T) {
	s.checkEnd(t, func(g *guest, _ func()) { syscall.Kill(g.PID(), syscall.SIGKILL) })
}

// checkEnd ends a guest that boots, and checks that it leaves nothing.
func (s *suite) checkEnd(t *testing.T, end func(g *guest, cancel func())) {
	cfg := s.config(t)
	files, goroutines := openFiles(t), runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	g := s.start(ctx, t, cfg)
	end(g, cancel)
	var exit *vmm.ExitError
	if err := g.end(); !errors.As(err, &exit) || !strings.Contains(exit.Status, "killed") {
		t.Errorf("Wait = %v, want an ExitError that says killed", err)
	}
	select {
	case <-g.ended:
	default:
		t.Error("the network is still being served")
	}
	if err := syscall.Kill(g.PID(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is still there", g.PID())
	}
	cancel()
	if now := openFiles(t); now > files {
		t.Errorf("%d descriptors are open, %d were", now, files)
	}
	// What has returned may not have quite ended.
	for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines run, %d did", runtime.NumGoroutine(), goroutines)
		}
	}
}

func (s *suite) testCannotStart(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no kernel"), 0o600); err != nil {
		t.Fatal(err)
	}
	absent := filepath.Join(t.TempDir(), "absent")
	for name, test := range map[string]struct {
		change func(*vmm.Config)
		want   string
	}{
		"no kernel file": {func(c *vmm.Config) { c.Kernel = absent }, absent},
		"no kernel":      {func(c *vmm.Config) { c.Kernel = text }, text},
		"no initrd":      {func(c *vmm.Config) { c.Initrd = absent }, absent},
		"no disk":        {func(c *vmm.Config) { c.Disks[1].Path = absent }, absent},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := s.config(t)
			test.change(&cfg)
			cfg.Console = newConsole(t)
			machine, err := s.backend.Start(t.Context(), cfg, newCable())
			if err == nil {
				err = machine.Wait()
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is %q, want one line with %s", err, test.want)
			}
		})
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
