package cli

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"banger/internal/agent/share"
	"banger/internal/engine"
	"banger/internal/jail"
	"banger/internal/vm"
)

const starterFD = 3 // where vm.Start passes its socket

// superviseCommand becomes a VM's supervisor.
func (a *app) superviseCommand() *cobra.Command {
	var o engine.SuperviseOptions
	c := &cobra.Command{
		Use:    engine.SuperviseCommand + " NAME",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
	}
	c.Flags().BoolVar(&o.NoInit, engine.NoInitFlag, false, "do not run the image's init")
	c.Flags().BoolVar(&o.KeepStopped, engine.KeepStoppedFlag, false, "do not remove an ephemeral VM that stops while its starter lives")
	c.Flags().BoolVar(&o.Foreground, engine.ForegroundFlag, false, "stop the VM when its starter lets go")
	c.Flags().BoolVar(&o.Making, engine.MakingFlag, false, "it is the VM that a template is made of")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		o.Name = args[0]
		a.interrupts.wait() // a guest that goes down loses nothing
		starter, err := vm.NewReporter(os.NewFile(starterFD, "starter"))
		if err != nil {
			return err
		}
		return a.engine.Supervise(ctx, o, starter, os.Stderr, a.hint)
	})
	return c
}

// makerCommand makes a template in the background.
func (a *app) makerCommand() *cobra.Command {
	return &cobra.Command{
		Use:   engine.MakerCommand + " ORDER",
		Short: "Make a template, of what processors and disks have to spare",
		Args:  cobra.ExactArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			return a.engine.MakeTemplateApart(ctx, args[0], os.Stderr)
		}),
	}
}

// shareCommand becomes the server of a directory for a guest. It has no use for
// banger's state.
func (a *app) shareCommand() *cobra.Command {
	var readOnly bool
	c := &cobra.Command{
		Use:   engine.ShareCommand,
		Short: "Serve a directory to a guest",
		Args:  noArgs,
		RunE:  func(*cobra.Command, []string) error { return share.Main(readOnly, a.Err) },
	}
	c.Flags().BoolVar(&readOnly, engine.ReadOnlyFlag, false, "let nothing be changed")
	return c
}

// jailCommand becomes Firecracker.
func jailCommand() *cobra.Command {
	return &cobra.Command{
		Use:                engine.JailCommand,
		Short:              "Become a program in a jail of its own",
		DisableFlagParsing: true,
		RunE:               func(_ *cobra.Command, args []string) error { return jail.Main(args) },
	}
}
