package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/imagemgr"
	"banger/internal/kernel"
	"banger/internal/vm"
)

func TestKernelOfVM(t *testing.T) {
	e := newEngine(t)
	for _, name := range []string{"asked", "images", "configured"} {
		addKernel(t, e, name)
	}
	addImage(t, e, imagemgr.Image{Name: "names-one", KernelRef: "images"})
	addImage(t, e, imagemgr.Image{Name: "names-none"})
	for _, tt := range []struct{ image, kernel, configured, want string }{
		{"names-one", "asked", "configured", "asked"},
		{"names-one", "", "configured", "images"},
		{"names-none", "", "configured", "configured"},
		{"names-none", "", "", ""},
	} {
		e.Config.Kernel = tt.configured
		o := e.VMDefaults()
		o.Image, o.Kernel = tt.image, tt.kernel
		v, err := e.CreateVM(t.Context(), o, nil, nil)
		if tt.want == "" {
			if !errors.As(err, new(*NoKernelError)) {
				t.Errorf("%+v: got %v", tt, err)
			}
			continue
		}
		if err != nil || v.Kernel != tt.want {
			t.Errorf("%+v: got %q, %v", tt, v.Kernel, err)
		}
	}
	_, err := e.CreateVM(t.Context(), VMOptions{Image: "names-one", Kernel: "absent", CPUs: 1}, nil, nil)
	if !errors.As(err, new(*kernel.NotFoundError)) {
		t.Errorf("got %v", err)
	}
}

// Zero is no wish for a default.
func TestVMOptionsAreTaken(t *testing.T) {
	e := newEngine(t)
	addKernel(t, e, "k")
	addImage(t, e, imagemgr.Image{Name: "i", KernelRef: "k"})
	for _, change := range []func(*VMOptions){
		func(o *VMOptions) { o.CPUs = 0 },
		func(o *VMOptions) { o.Memory = 0 },
		func(o *VMOptions) { o.Disk = 0 },
		func(o *VMOptions) { o.VMM = "xen" },
		func(o *VMOptions) { o.Name = "../x" },
	} {
		o := e.VMDefaults()
		o.Image = "i"
		change(&o)
		if v, err := e.CreateVM(t.Context(), o, nil, nil); err == nil {
			t.Errorf("made %+v", v)
		}
	}
}

// A VM that does not come up leaves nothing.
func TestRunThatDoesNotStart(t *testing.T) {
	e := newEngine(t)
	addKernel(t, e, "k")
	addImage(t, e, imagemgr.Image{Name: "i", KernelRef: "k"})
	for _, ephemeral := range []bool{true, false} {
		o := RunOptions{VM: e.VMDefaults()}
		o.VM.Image, o.VM.Ephemeral = "i", ephemeral
		run, err := e.RunVM(t.Context(), o)
		if !errors.As(err, new(*vm.StartError)) || run.Kept {
			t.Errorf("got %+v, %v", run, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	o := RunOptions{VM: e.VMDefaults()}
	o.VM.Image = "i"
	if _, err := e.RunVM(ended, o); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if left, err := e.ListVMs(); err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
}

func TestRunOfDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := projectAt(t.Context(), dir)
	if err != nil || c.dir != dir || c.target != filepath.Base(dir) || len(c.files) != 1 || c.files[0].Name != "file" {
		t.Errorf("got %+v, %v", c, err)
	}
	if _, err := projectAt(t.Context(), "/"); err == nil {
		t.Error("the root directory passed")
	}
	if _, err := projectAt(t.Context(), filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestSupervisorCommand(t *testing.T) {
	given := append(make([]string, 0, 8), "banger", "supervise") // with room behind
	for _, tt := range []struct {
		o    SuperviseOptions
		want string
	}{
		{SuperviseOptions{}, "banger supervise"},
		{SuperviseOptions{NoInit: true}, "banger supervise --no-init"},
		{SuperviseOptions{KeepStopped: true}, "banger supervise --keep-stopped"},
	} {
		if got := strings.Join(tt.o.command(given), " "); got != tt.want {
			t.Errorf("%+v: got %q", tt.o, got)
		}
	}
}
