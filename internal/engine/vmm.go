package engine

import (
	"context"

	"banger/internal/doctor"
	"banger/internal/vmm"
	"banger/internal/vmm/firecracker"
	"banger/internal/vmm/pick"
	"banger/internal/vmm/qemu"
)

// backend returns the VMM of a choice.
func (e *Engine) backend(choice string) (vmm.Backend, error) {
	if err := pick.Check(choice); err != nil {
		return nil, err
	}
	return pick.New(pick.Options{Choice: choice, QEMU: e.qemu(), Firecracker: e.firecracker()}), nil
}

// firecracker says where Firecracker is, and how its jail is made.
func (e *Engine) firecracker() firecracker.Options {
	return firecracker.Options{Binary: e.Config.Firecracker, Dir: e.Dirs.BinDir(), Jail: e.Jail, Versions: e.versions()}
}

// qemu says where QEMU is.
func (e *Engine) qemu() qemu.Options {
	return qemu.Options{Binary: e.Config.QEMU, Versions: e.versions()}
}

func (e *Engine) versions() vmm.Versions { return vmm.Versions(e.Dirs.VersionsFile()) }

// Examine finds out what this machine lets banger do. hint says what to do
// about an error.
func (e *Engine) Examine(ctx context.Context, hint func(error) string) []doctor.Result {
	f, q := e.firecracker(), e.qemu()
	f.Versions, q.Versions = "", "" // whether they start is the question
	return doctor.Examine(ctx, doctor.Host{
		Firecracker: firecracker.New(f), QEMU: qemu.New(q),
		Jail: e.Jail, State: e.Dirs.State, Hint: hint,
	})
}
