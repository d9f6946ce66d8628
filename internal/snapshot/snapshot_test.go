package snapshot

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/statedir"
	"banger/internal/vm"
	"banger/internal/vmm"
)

func testStore(t *testing.T) *Store {
	t.Helper()
	return NewStore(statedir.Tree{Kind: "snapshot", Dir: filepath.Join(t.TempDir(), "snapshots")}, "test")
}

// sparse makes a file of a size with data at some places.
func sparse(t *testing.T, path string, size int64, data map[int64]string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	for at, text := range data {
		if _, err := f.WriteAt([]byte(text), at); err != nil {
			t.Fatal(err)
		}
	}
}

func publish(t *testing.T, s *Store, name string) Snapshot {
	t.Helper()
	draft, err := s.Draft()
	if err != nil {
		t.Fatal(err)
	}
	defer draft.Discard()
	sparse(t, filepath.Join(draft.Dir(), statedir.Memory), 1<<30, map[int64]string{4096: "memory", 1<<30 - 6: "at end"})
	sparse(t, filepath.Join(draft.Dir(), statedir.Disk), 1<<20, nil)
	snap, err := draft.Publish(t.Context(), Snapshot{Name: name, VM: vm.VM{Name: "box"}})
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func TestPublish(t *testing.T) {
	s := testStore(t)
	made := publish(t, s, "one")
	got, err := s.Get("one")
	if err != nil || len(got.Files) != 2 || got.DiskUsage != made.DiskUsage || got.DiskUsage > 1<<20 {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := s.Verify(t.Context(), "one"); err != nil {
		t.Error(err)
	}
	draft, err := s.Draft()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := draft.Publish(t.Context(), Snapshot{Name: "one"}); !errors.Is(err, statedir.ErrExist) {
		t.Errorf("taken twice: %v", err)
	}
	draft.Discard()
	if all, err := s.List(); err != nil || len(all) != 1 {
		t.Errorf("listed %v, %v", all, err)
	}
	if err := s.Remove("one"); err != nil {
		t.Error(err)
	}
	if err := s.Remove("one"); !errors.As(err, new(*NotFoundError)) {
		t.Errorf("removed twice: %v", err)
	}
	if entries, _ := os.ReadDir(s.tree.Dir); len(entries) > 0 {
		t.Errorf("left behind: %v", entries)
	}
}

// What is changed, cut off or added anywhere is seen.
func TestVerify(t *testing.T) {
	for what, damage := range map[string]func(*os.File) error{
		"a byte":      func(f *os.File) error { _, err := f.WriteAt([]byte("M"), 4096); return err },
		"in a hole":   func(f *os.File) error { _, err := f.WriteAt([]byte("x"), 512<<20); return err },
		"elsewhere":   func(f *os.File) error { _, err := f.WriteAt([]byte("memory"), 4096+blockSize); return err },
		"the end":     func(f *os.File) error { return f.Truncate(1<<30 - 1) },
		"only longer": func(f *os.File) error { return f.Truncate(1<<30 + 1) },
	} {
		s := testStore(t)
		publish(t, s, "one")
		f, err := os.OpenFile(s.Path("one", statedir.Memory), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(damage(f), f.Close()); err != nil {
			t.Fatal(err)
		}
		if err := s.Verify(t.Context(), "one"); !errors.As(err, new(*DamagedError)) {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

// A copy whose holes are elsewhere has the same digest.
func TestDigestIsOfContent(t *testing.T) {
	dir := t.TempDir()
	data := map[int64]string{100: "x", 3 * blockSize: strings.Repeat("y", blockSize), 10*blockSize - 1: "z"}
	sparse(t, filepath.Join(dir, "a"), 20*blockSize+7, data)
	whole, err := os.ReadFile(filepath.Join(dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "b"), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := describe(t.Context(), filepath.Join(dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := describe(t.Context(), filepath.Join(dir, "b"))
	if err != nil || a.SHA256 != b.SHA256 || a.Size != b.Size {
		t.Errorf("got %v and %v, %v", a, b, err)
	}
}

func TestCheck(t *testing.T) {
	machine := func(change func(*Machine)) Machine {
		m := Machine{
			VMM: &vmm.Info{Backend: "qemu", Version: "7.2", Accel: vmm.KVM}, CPU: "C1", CPUFeatures: []string{"sse", "avx"},
			KernelDigest: "k", ImageDigest: "i", AgentProtocol: 1,
		}
		change(&m)
		return m
	}
	snap := Snapshot{Name: "s", VM: vm.VM{Image: "debian", Kernel: "cloud"}, Machine: machine(func(*Machine) {})}
	for want, change := range map[string]func(*Machine){
		"":                                     func(m *Machine) { m.CPUFeatures = append(m.CPUFeatures, "avx512"); m.CPU = "C2" },
		"taken in qemu 7.2, and here":          func(m *Machine) { m.VMM.Version = "8" },
		"in qemu 7.2, and here is firecracker": func(m *Machine) { m.VMM.Backend = "firecracker" },
		"taken with kvm, and here is tcg":      func(m *Machine) { m.VMM.Accel = vmm.TCG },
		"lacks avx":                            func(m *Machine) { m.CPUFeatures = []string{"sse"} },
		"speaks protocol 1":                    func(m *Machine) { m.AgentProtocol = 2 },
		`kernel "cloud" is not the one`:        func(m *Machine) { m.KernelDigest = "other" },
		`image "debian" is not the one`:        func(m *Machine) { m.ImageDigest = "other" },
	} {
		err := snap.Check(machine(change))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if err := snap.CheckDisk(machine(func(m *Machine) { m.VMM = nil; m.KernelDigest = "other" })); err != nil {
		t.Errorf("its disk: %v", err)
	}
}

func TestParseProcessor(t *testing.T) {
	model, features := parseProcessor([]byte("processor\t: 0\nmodel name\t: A B\nflags\t\t: sse avx\n\nprocessor\t: 1\nmodel name\t: other\n"))
	if model != "A B" || strings.Join(features, " ") != "sse avx" {
		t.Errorf("got %q, %q", model, features)
	}
}

// What cannot be read takes disk, and is seen.
func TestListOfDamaged(t *testing.T) {
	s := testStore(t)
	publish(t, s, "whole")
	if err := os.Mkdir(s.Path("bare", ""), 0o700); err != nil {
		t.Fatal(err)
	}
	all, err := s.List()
	if err != nil || len(all) != 2 || all[0].Name != "bare" || !all[0].CreatedAt.IsZero() {
		t.Errorf("got %+v, %v", all, err)
	}
}

// A snapshot that is a process's own goes with that.
func TestSweep(t *testing.T) {
	s := testStore(t)
	publish(t, s, "lasting")
	draft, err := s.Draft()
	if err != nil {
		t.Fatal(err)
	}
	defer draft.Discard()
	claim, err := draft.Claim()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := draft.Publish(t.Context(), Snapshot{Name: "held"}); err != nil {
		t.Fatal(err)
	}
	if s.Sweep(); !s.Exists("held") {
		t.Fatal("what lives was swept up")
	}
	if err := s.Verify(t.Context(), "held"); err != nil {
		t.Error(err)
	}
	claim.Release() // as the kernel does when its process dies
	if s.Sweep(); s.Exists("held") || !s.Exists("lasting") {
		t.Errorf("held is there: %v; lasting is there: %v", s.Exists("held"), s.Exists("lasting"))
	}
}
