package engine

import (
	"cmp"
	"os"
	"path/filepath"
	"testing"

	"banger/internal/config"
	"banger/internal/format/ext4/ext4test"
	"banger/internal/imagemgr"
	"banger/internal/kernel"
	"banger/internal/kernel/kerneltest"
	"banger/internal/statedir"
	"banger/internal/vm"
)

// newEngine returns an engine of a state tree of its own, whose supervisors end
// at once.
func newEngine(t *testing.T) *Engine {
	dir := t.TempDir()
	return New(Options{
		Dirs: statedir.Dirs{
			State: filepath.Join(dir, "state"), Cache: filepath.Join(dir, "cache"), Config: filepath.Join(dir, "config"),
			Data: filepath.Join(dir, "data"), Kernels: filepath.Join(dir, "state", "kernels"),
		},
		Config:     config.Default(),
		Version:    "test",
		Supervisor: []string{"/bin/sh", "-c", "exit 1"},
	})
}

func addKernel(t *testing.T, e *Engine, name string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "vmlinux")
	if err := os.WriteFile(file, kerneltest.Vmlinux("6.12.1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := e.ImportKernel(t.Context(), kernel.ImportOptions{Name: name, From: file}); err != nil {
		t.Fatal(err)
	}
}

// addImage adds an image to the store, with what the manifest says.
func addImage(t *testing.T, e *Engine, i imagemgr.Image) {
	t.Helper()
	stage, err := e.Dirs.ImageTree().Stage()
	if err != nil {
		t.Fatal(err)
	}
	defer stage.Discard()
	ext4test.Write(t, stage.Path(statedir.Rootfs))
	i.Digest = cmp.Or(i.Digest, "sha256:"+i.Name)
	if err := statedir.WriteJSON(stage.Path(statedir.Manifest), i); err != nil {
		t.Fatal(err)
	}
	if err := stage.Publish(i.Name); err != nil {
		t.Fatal(err)
	}
}

func addVM(t *testing.T, e *Engine, v vm.VM) {
	t.Helper()
	v.CPUs, v.MemoryMiB, v.DiskBytes = 1, 512, vm.MinDiskBytes
	if _, err := e.vms.Create(t.Context(), v, ext4test.Empty(t)); err != nil {
		t.Fatal(err)
	}
}

// What a user names may be without end.
func TestSSHConfigWithoutEnd(t *testing.T) {
	e := newEngine(t)
	if changed, err := e.InstallSSHConfig("/dev/zero"); err == nil || changed {
		t.Errorf("got %v, %v", changed, err)
	}
}
