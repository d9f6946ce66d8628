package engine

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"banger/internal/imagemgr"
	"banger/internal/kernel"
	"banger/internal/network"
	"banger/internal/statedir"
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

// What cannot be read may use anything: nothing is taken from it.
func TestInUseByWhatCannotBeRead(t *testing.T) {
	e := newEngine(t)
	for _, tt := range []struct{ what, file, user string }{
		{"vm", e.vms.Path("box", statedir.VMState), "vm box (which cannot be read)"},
		{"snapshot", e.Dirs.SnapshotTree().Path("snap", statedir.Manifest), "snapshot snap (which cannot be read)"},
	} {
		addKernel(t, e, "k")
		addImage(t, e, imagemgr.Image{Name: "i", KernelRef: "none"})
		if err := os.MkdirAll(filepath.Dir(tt.file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(tt.file, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		for kind, err := range map[string]error{
			"image": e.RemoveImage("i", false), "kernel": e.RemoveKernel("k", false),
		} {
			if inUse, ok := errors.AsType[*InUseError](err); !ok || !slices.Equal(inUse.Users, []string{tt.user}) {
				t.Errorf("%s, %s: got %v", tt.what, kind, err)
			}
		}
		removed, _, err := e.PruneSystem(t.Context(), PruneOptions{All: true, Volumes: true})
		if err != nil || len(removed) > 0 {
			t.Errorf("%s: pruned %v, %v", tt.what, removed, err)
		}
		shares, err := e.DiskUsage()
		if err != nil || shares[0].InUse != 1 {
			t.Errorf("%s: %+v, %v", tt.what, shares, err)
		}
		for _, err := range []error{os.RemoveAll(filepath.Dir(tt.file)), e.RemoveImage("i", false), e.RemoveKernel("k", false)} {
			if err != nil {
				t.Error(err)
			}
		}
	}
}

// A volume is some VM's as long as one cannot be read, and one that cannot be read
// itself goes by its name alone. Networks are kept likewise.
func TestVolumeOfWhatCannotBeRead(t *testing.T) {
	e := newEngine(t)
	for _, name := range []string{"whole", "torn"} {
		if _, err := e.CreateVolume(t.Context(), VolumeOptions{Name: name, Size: 64 << 20}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.CreateNetwork(t.Context(), network.Network{Name: "net"}); err != nil {
		t.Fatal(err)
	}
	tear := func(file string) {
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte("{"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	tear(e.Dirs.VolumeTree().Path("torn", statedir.Manifest))
	tear(e.vms.Path("box", statedir.VMState))
	if removed, err := e.PruneVolumes(t.Context(), nil); err != nil || len(removed) > 0 {
		t.Errorf("pruned %v, %v", removed, err)
	}
	for kind, err := range map[string]error{
		"volume": e.RemoveVolume(t.Context(), "whole"), "network": e.RemoveNetwork(t.Context(), "net"),
	} {
		if !errors.As(err, new(*InUseError)) {
			t.Errorf("%s: got %v", kind, err)
		}
	}
	if err := e.vms.Remove(t.Context(), "box"); err != nil {
		t.Fatal(err)
	}
	removed, err := e.PruneVolumes(t.Context(), nil)
	if err != nil || len(removed) != 1 || removed[0].Name != "whole" {
		t.Errorf("pruned %v, %v", removed, err)
	}
	if err := e.RemoveVolume(t.Context(), "torn"); err != nil {
		t.Error(err)
	}
}
