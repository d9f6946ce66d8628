package vmmtest

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banger/internal/vmm"
)

// testSave saves a guest, which goes on, and has two more go on from there, each
// with a memory and a disk of its own.
func (s *suite) testSave(t *testing.T) {
	cfg := s.config(t)
	g := s.boot(t, cfg)
	g.tell("keep first")
	g.expect("done keep first")
	dir := t.TempDir()
	if _, err := g.Save(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	copies := []vmm.Config{s.copyOf(t, cfg), s.copyOf(t, cfg)}
	if err := g.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.tell("keep second")
	g.expect("done keep second")
	saved := filesOf(t, dir)

	first, second := s.restore(t, copies[0], dir), s.restore(t, copies[1], dir)
	for i, c := range []*guest{first, second, g} {
		c.tell("tell")
		c.expect("kept " + []string{"first", "first", "second"}[i])
		c.expect("done tell")
	}
	first.tell("keep third")
	first.expect("done keep third")
	first.tell("write")
	first.expect("done write")
	checkStart(t, copies[0].Disks[1].Path, 'g')
	checkStart(t, copies[1].Disks[1].Path, 0)
	second.tell("tell")
	second.expect("kept first")
	second.expect("done tell")
	if now := filesOf(t, dir); now != saved {
		t.Errorf("the saved guest was %s and is %s", saved, now)
	}

	// A guest that goes on can be saved as well.
	again := t.TempDir()
	if _, err := first.Save(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	third := s.restore(t, s.copyOf(t, copies[0]), again)
	third.tell("tell")
	third.expect("kept third")
	third.expect("done tell")
	third.tell("reboot")
	if err := third.end(); err != nil {
		t.Errorf("a restored guest's reboot ends as %v", err)
	}
}

// testSaveBusy saves a guest that writes to its memory as fast as it can: what is
// saved is of one moment.
func (s *suite) testSaveBusy(t *testing.T) {
	cfg := s.config(t)
	g := s.boot(t, cfg)
	g.tell("scribble")
	g.expect("done scribble")
	dir := t.TempDir()
	began := time.Now()
	held, err := g.Save(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if held.Before(began) || held.After(time.Now()) {
		t.Errorf("held since %s, and saving began at %s", held, began)
	}
	other := s.copyOf(t, cfg)
	if err := g.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, g := range []*guest{g, s.restore(t, other, dir)} {
		g.tell("look")
		g.expect("in order")
		g.expect("done look")
	}
}

// expect waits for a message.
func (g *guest) expect(text string) {
	g.t.Helper()
	if m := g.hear(); m.text != text {
		g.t.Fatalf("the guest says %q, not %q", m.text, text)
	}
}

// restore starts a guest from what was saved of it.
func (s *suite) restore(t *testing.T, cfg vmm.Config, dir string) *guest {
	t.Helper()
	return s.launch(t, cfg, func(cfg vmm.Config, network vmm.Network) (vmm.Machine, error) {
		return s.backend.Restore(t.Context(), cfg, dir, network)
	})
}

// copyOf is the configuration of another VM with a copy of what may be written.
func (s *suite) copyOf(t *testing.T, cfg vmm.Config) vmm.Config {
	t.Helper()
	other := s.config(t)
	for i, disk := range cfg.Disks {
		if disk.ReadOnly {
			other.Disks[i] = disk
			continue
		}
		if err := os.WriteFile(other.Disks[i].Path, readFile(t, disk.Path), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return other
}

// filesOf describes a directory's files by their names, sizes and times.
func filesOf(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, entry.Name()+" "+info.ModTime().Format(time.RFC3339Nano))
	}
	return strings.Join(all, ", ")
}

// testBadState restores what nobody saved.
func (s *suite) testBadState(t *testing.T) {
	g := s.boot(t, s.config(t))
	dir := t.TempDir()
	if _, err := g.Save(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Save(t.Context(), dir); err == nil {
		t.Error("a saved guest was overwritten")
	}
	for _, name := range strings.Split(filesOf(t, dir), ", ") {
		name, _, _ = strings.Cut(name, " ")
		t.Run("cut "+name, func(t *testing.T) {
			bad := t.TempDir()
			copyFiles(t, dir, bad)
			if err := os.Truncate(filepath.Join(bad, name), 1000); err != nil {
				t.Fatal(err)
			}
			s.mustNotRestore(t, bad)
		})
	}
	t.Run("nothing", func(t *testing.T) { s.mustNotRestore(t, t.TempDir()) })
}

func (s *suite) mustNotRestore(t *testing.T, dir string) {
	t.Helper()
	cfg := s.config(t)
	cfg.Console = io.Discard
	machine, err := s.backend.Restore(t.Context(), cfg, dir, newCable())
	if err == nil {
		machine.Kill()
		machine.Wait()
		t.Error("it is restored")
	} else if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error is %q, want one line", err)
	}
}

func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
