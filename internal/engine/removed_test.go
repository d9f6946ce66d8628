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
