package engine

import (
	"errors"
	"slices"
	"testing"

	"banger/internal/imagemgr"
	"banger/internal/kernel"
	"banger/internal/vm"
)

func TestInUse(t *testing.T) {
	e := newEngine(t)
	addKernel(t, e, "by-image")
	addKernel(t, e, "by-vm")
	addKernel(t, e, "idle")
	addImage(t, e, imagemgr.Image{Name: "used", KernelRef: "by-image"})
	addImage(t, e, imagemgr.Image{Name: "idle"})
	addVM(t, e, vm.VM{Name: "box", Image: "used", Kernel: "by-vm"})

	for _, tt := range []struct {
		what string
		do   func() error
		want string
	}{
		{"remove the image", func() error { return e.RemoveImage("used", false) }, `image "used" is used by vm box`},
		{"rename it", func() error { return e.RenameImage("used", "other") }, `image "used" is used by vm box`},
		{"replace it", func() error { return e.replaceable("used", true) }, `image "used" is used by vm box`},
		{"remove the image's kernel", func() error { return e.RemoveKernel("by-image", false) }, `kernel "by-image" is needed by image used`},
		{"remove the vm's kernel", func() error { return e.RemoveKernel("by-vm", false) }, `kernel "by-vm" is needed by vm box`},
	} {
		err := tt.do()
		if !errors.As(err, new(*InUseError)) || err.Error() != tt.want {
			t.Errorf("%s: got %v", tt.what, err)
		}
	}

	pruned, err := e.PruneImages(true)
	if err != nil || !slices.Equal(pruned.Images, []string{"idle"}) || pruned.Freed <= 0 {
		t.Errorf("pruned %+v, %v", pruned, err)
	}
	if err := e.RemoveKernel("idle", false); err != nil {
		t.Error(err)
	}
	if err := e.RemoveKernel("by-vm", true); err != nil {
		t.Error(err)
	}
	if err := e.RemoveImage("used", true); err != nil {
		t.Error(err)
	}
	if _, err := e.Image("used"); !errors.As(err, new(*imagemgr.NotFoundError)) {
		t.Errorf("got %v", err)
	}
	if _, _, err := e.Kernel("by-vm"); !errors.As(err, new(*kernel.NotFoundError)) {
		t.Errorf("got %v", err)
	}
}
