package engine

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"banger/internal/imagemgr"
	"banger/internal/kernel"
	"banger/internal/kernel/kerneltest"
	"banger/internal/statedir"
	"banger/internal/vm"
)

// interrupted is a context that has something done when it is looked at first,
// which who reads a file does.
type interrupted struct {
	context.Context
	once sync.Once
	do   func()
}

func (c *interrupted) Err() error {
	c.once.Do(c.do)
	return c.Context.Err()
}

// What goes while it is looked at is no damage: it is gone.
func TestVerifyBesideRemove(t *testing.T) {
	e, from := newEngine(t), t.TempDir()
	for name, content := range map[string][]byte{statedir.Vmlinux: kerneltest.Vmlinux("6.12.1"), statedir.Initrd: []byte("initrd")} {
		if err := os.WriteFile(filepath.Join(from, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.ImportKernel(t.Context(), kernel.ImportOptions{Name: "k", From: from}); err != nil {
		t.Fatal(err)
	}
	ctx := &interrupted{Context: t.Context(), do: func() {
		if err := e.RemoveKernel("k", false); err != nil {
			t.Error(err)
		}
	}}
	err := e.VerifyKernel(ctx, "k")
	if !isA[*RemovedError](err) || err.Error() != `kernel "k" was removed meanwhile` {
		t.Errorf("got %v", err)
	}
	if err := e.VerifyKernel(t.Context(), "k"); !isA[*kernel.NotFoundError](err) {
		t.Errorf("afterwards: got %v", err)
	}
}

func TestStartBesideRemove(t *testing.T) {
	e := newEngine(t)
	addImage(t, e, imagemgr.Image{Name: "i"})
	addVM(t, e, vm.VM{Name: "box", Image: "i"})
	e.Supervisor = []string{"/bin/sh", "-c", "rm -r " + filepath.Dir(e.vms.Path("box", statedir.VMState)) + "; exit 1"}
	if err := e.StartVM(t.Context(), "box", nil); !isA[*RemovedError](err) {
		t.Errorf("got %v", err)
	}
	if err := e.StartVM(t.Context(), "box", nil); !isA[*vm.NotFoundError](err) {
		t.Errorf("afterwards: got %v", err)
	}
}

// What a VM is made of goes before the VM is there: nothing but that is said.
func TestCreateBesideRemove(t *testing.T) {
	e := newEngine(t)
	addKernel(t, e, "k")
	addImage(t, e, imagemgr.Image{Name: "i", KernelRef: "k"})
	o := e.VMDefaults()
	o.Image, o.Volumes = "i", []vm.Volume{{Name: "data", Path: "/data"}}
	_, err := e.CreateVM(t.Context(), o, nil, func(Event) { // that the volume is made
		if err := e.RemoveImage("i", false); err != nil {
			t.Error(err)
		}
	})
	if !isA[*RemovedError](err) || err.Error() != `image "i" was removed meanwhile` {
		t.Errorf("got %v", err)
	}
	if all, err := e.ListVolumes(nil); err != nil || len(all) != 1 {
		return
	}
	t.Error("its volume stays")
}

// A VM that goes before it is synced with stays gone.
func TestSyncBesideRemove(t *testing.T) {
	e := newEngine(t)
	addImage(t, e, imagemgr.Image{Name: "i"})
	addVM(t, e, vm.VM{Name: "box", Image: "i"})
	if err := e.RemoveVM(t.Context(), "box", false); err != nil {
		t.Fatal(err)
	}
	_, err := statedir.MakeDirIn(e.vms.Path("box", ""), statedir.SyncDir)
	if err = lost("vm", "box", e.vms.Exists, err); !isA[*RemovedError](err) || e.vms.Exists("box") {
		t.Errorf("got %v, and it is there: %v", err, e.vms.Exists("box"))
	}
}

// A build's VM is down between two boots, and nobody's to prune.
func TestPruneBesideBuild(t *testing.T) {
	e := newEngine(t)
	addKernel(t, e, "k")
	addImage(t, e, imagemgr.Image{Name: "i", KernelRef: "k"})
	o := e.VMDefaults()
	o.Image, o.Name, o.Ephemeral = "i", "build", true
	_, claim, err := e.createVM(t.Context(), o, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, prune := range []func() error{
		func() error { _, err := e.PruneVMs(t.Context(), nil); return err },
		func() error { _, _, err := e.PruneSystem(t.Context(), PruneOptions{All: true}); return err },
	} {
		if err := prune(); err != nil || !e.vms.Exists("build") {
			t.Errorf("%v, and it is there: %v", err, e.vms.Exists("build"))
		}
	}
	claim.Release()
	if e.Sweep(); e.vms.Exists("build") {
		t.Error("nobody has removed it")
	}
}
