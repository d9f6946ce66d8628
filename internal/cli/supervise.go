package cli

import (
	"context"
	"os"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/supervisor"
	"banger/internal/vm"
	"banger/internal/vmm/qemu"
)

const (
	superviseName = "supervise"
	starterFD     = 3 // where vm.Start passes its socket
	bootTimeout   = 3 * time.Minute
)

// superviseCommand is what vm.Start runs; people do not.
func (a *app) superviseCommand() *cobra.Command {
	return &cobra.Command{
		Use:    superviseName + " NAME",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			starter, err := vm.NewReporter(os.NewFile(starterFD, "starter"))
			if err != nil {
				return err
			}
			return a.supervise(ctx, args[0], starter)
		}),
	}
}

func (a *app) supervise(ctx context.Context, name string, starter *vm.Reporter) error {
	o := supervisor.Options{
		Name:        name,
		VMs:         a.vms,
		Backend:     qemu.New(a.config.QEMU),
		BootTimeout: bootTimeout,
		Log:         a.Err,
		Starter:     starter,
	}
	v, err := a.vms.Get(name)
	if err == nil {
		o.Kernel, err = a.kernels.Get(v.Kernel)
	}
	if err == nil {
		_, err = a.images.Get(v.Image)
		o.Rootfs = a.images.Rootfs(v.Image)
	}
	if err != nil {
		supervisor.Refuse(starter, err)
		return err
	}
	return supervisor.Run(ctx, o)
}
