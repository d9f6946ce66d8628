package vm

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"banger/internal/format/ext4/ext4test"
	"banger/internal/statedir"
)

func TestCreateCopy(t *testing.T) {
	s := NewStore(statedir.Tree{Kind: "vm", Dir: t.TempDir()})
	v, err := s.Create(t.Context(), VM{Name: "box", Image: "i", Kernel: "k", CPUs: 1, MemoryMiB: 64, DiskBytes: 64 << 20}, ext4test.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	saved, err := s.Snapshot(t.Context(), "box", dir)
	if err != nil || saved.Running {
		t.Fatalf("got %+v, %v", saved, err)
	}
	for _, name := range []string{statedir.Memory, statedir.SavedState} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	spec := v
	spec.Name = "copy"
	c, err := s.CreateCopy(t.Context(), spec, Origin{Dir: dir, GoOn: true, Label: "snap"})
	if err != nil {
		t.Fatal(err)
	}
	if c.MachineID == v.MachineID || c.MAC == v.MAC || !c.Copied || c.Snapshot != "snap" {
		t.Errorf("the copy is %+v", c)
	}
	ours, _ := s.Keys("copy")
	theirs, _ := s.Keys("box")
	if string(ours.HostPEM) == string(theirs.HostPEM) || ours.ClientLine() == theirs.ClientLine() {
		t.Error("the copy has the keys of what it is a copy of")
	}
	kept, err := os.ReadFile(filepath.Join(s.Path("copy", statedir.RestoreDir), statedir.HostKey))
	if err != nil || string(kept) != string(theirs.HostPEM) {
		t.Errorf("the key that its agent knows is %q, %v", kept, err)
	}

	// Put back, a VM stays who it is.
	back, err := s.ReplaceByCopy(t.Context(), v, Origin{Dir: dir, Label: "snap"})
	if err != nil || back.MachineID != v.MachineID || back.MAC != v.MAC {
		t.Errorf("got %+v, %v", back, err)
	}
	now, _ := s.Keys("box")
	if string(now.HostPEM) != string(theirs.HostPEM) {
		t.Error("a VM that was put back has other keys")
	}

	// What cannot be made whole is not there.
	spec.Name = "broken"
	if err := os.Remove(filepath.Join(dir, statedir.SavedState)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateCopy(t.Context(), spec, Origin{Dir: dir, GoOn: true}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if names, _ := os.ReadDir(s.tree.Dir); len(names) != 2 {
		t.Errorf("left behind: %v", names)
	}
}
