package pick

import (
	"context"
	"errors"
	"strings"
	"testing"

	"banger/internal/process"
	"banger/internal/vmm"
	"banger/internal/vmm/firecracker"
)

// fake is a backend that tells what it was made to.
type fake struct {
	info    vmm.Info
	err     error
	started bool
}

func (f *fake) Probe(context.Context) (vmm.Info, error) { return f.info, f.err }

func (f *fake) Start(context.Context, vmm.Config, vmm.Network) (vmm.Machine, error) {
	f.started = true
	return nil, nil
}

func (f *fake) Restore(context.Context, vmm.Config, string, vmm.Network) (vmm.Machine, error) {
	return nil, nil
}

func TestAuto(t *testing.T) {
	var (
		fc      = vmm.Info{Backend: "firecracker", Accel: "kvm"}
		byKVM   = vmm.Info{Backend: "qemu", Accel: "kvm"}
		byTCG   = vmm.Info{Backend: "qemu", Accel: "tcg", Why: "no KVM"}
		missing = &process.NotFoundError{Program: "firecracker"}
		noQEMU  = &process.NotFoundError{Program: "qemu"}
		noKVM   = &firecracker.KVMError{Why: "no KVM"}
		old     = &firecracker.VersionError{Path: "/fc", Version: "0.1.0"}
	)
	for name, test := range map[string]struct {
		firecracker, qemu fake
		backend, why      string
		err               error
	}{
		"firecracker":             {fake{info: fc}, fake{info: byKVM}, "firecracker", "", nil},
		"not installed":           {fake{err: missing}, fake{info: byKVM}, "qemu", "firecracker is not installed", nil},
		"too old":                 {fake{err: old}, fake{info: byKVM}, "qemu", "passed over: /fc is firecracker 0.1.0", nil},
		"no KVM":                  {fake{err: noKVM}, fake{info: byTCG}, "qemu", "no KVM", nil},
		"no QEMU either":          {fake{err: missing}, fake{err: noQEMU}, "", "", noQEMU},
		"no QEMU, no KVM":         {fake{err: noKVM}, fake{err: noQEMU}, "", "", noQEMU},
		"no QEMU, and a bad host": {fake{err: old}, fake{err: noQEMU}, "", "", old},
	} {
		a := &auto{firecracker: &test.firecracker, qemu: &test.qemu}
		info, err := a.Probe(t.Context())
		if info.Backend != test.backend || !strings.Contains(info.Why, test.why) || test.why == "" && info.Why != "" || !errors.Is(err, test.err) {
			t.Errorf("%s: got %+v, %v", name, info, err)
		}
		_, startErr := a.Start(t.Context(), vmm.Config{}, nil)
		if test.firecracker.started != (test.backend == "firecracker") || test.qemu.started != (test.backend == "qemu") || (startErr == nil) != (test.err == nil) {
			t.Errorf("%s: started firecracker %v, qemu %v, %v", name, test.firecracker.started, test.qemu.started, startErr)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, text := range []string{"", "auto", "firecracker", "qemu"} {
		if err := Check(text); err != nil {
			t.Error(err)
		}
		if New(Options{Choice: text}) == nil {
			t.Errorf("%q makes nothing", text)
		}
	}
	if err := Check("xen"); err == nil || !strings.Contains(err.Error(), "the choices are auto, firecracker and qemu") {
		t.Errorf("got %v", err)
	}
}
