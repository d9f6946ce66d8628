package cli

import (
	"context"
	"os"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/imagemgr"
	"banger/internal/supervisor"
	"banger/internal/vm"
)

const (
	superviseName = "supervise"
	starterFD     = 3 // where vm.Start passes its socket
	bootTimeout   = 3 * time.Minute

	noInitFlag      = "no-init"
	keepStoppedFlag = "keep-stopped"
)

// superviseCommand is what vm.Start runs; people do not.
func (a *app) superviseCommand() *cobra.Command {
	var o supervisor.Options
	c := &cobra.Command{
		Use:    superviseName + " NAME",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
	}
	c.Flags().BoolVar(&o.NoInit, noInitFlag, false, "do not run the image's init")
	c.Flags().BoolVar(&o.KeepStopped, keepStoppedFlag, false, "do not remove an ephemeral VM that stops while its starter lives")
	c.RunE = a.run(func(ctx context.Context, args []string) (err error) {
		if o.Starter, err = vm.NewReporter(os.NewFile(starterFD, "starter")); err != nil {
			return err
		}
		o.Name = args[0]
		return a.supervise(ctx, o)
	})
	return c
}

func (a *app) supervise(ctx context.Context, o supervisor.Options) error {
	o.VMs, o.BootTimeout, o.Log, o.Hint = a.vms, bootTimeout, a.Err, hint
	v, err := a.vms.Get(o.Name)
	if err == nil {
		o.Backend, err = a.backend(or(v.VMM, a.config.VMM))
	}
	if err == nil {
		o.Kernel, err = a.kernels.Get(v.Kernel)
	}
	if err == nil {
		var i imagemgr.Image
		i, err = a.images.Get(v.Image)
		o.Rootfs = a.images.Rootfs(v.Image)
		if i.Config != nil {
			o.StopSignal = i.Config.StopSignal
		}
	}
	if err != nil {
		supervisor.Refuse(o, err)
		return err
	}
	return supervisor.Run(ctx, o)
}
