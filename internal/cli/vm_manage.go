package cli

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"banger/internal/engine"
	"banger/internal/vm"
)

func (a *app) vmStartCommand() *cobra.Command {
	return a.eachVMCommand("start NAME...", "Boot VMs that are stopped", func(ctx context.Context, name string) error {
		return a.engine.StartVM(ctx, name, a.newDisplay().show)
	})
}

// eachVMCommand is a command that does f for every VM that is named.
func (a *app) eachVMCommand(use, short string, f func(context.Context, string) error) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.MinimumNArgs(1),
		RunE:  a.run(func(ctx context.Context, args []string) error { return each(ctx, a, args, f) }),
	}
}

func (a *app) vmStopCommand() *cobra.Command {
	var o engine.StopOptions
	c := &cobra.Command{
		Use:   "stop NAME...",
		Short: "Shut VMs down; their disks stay",
		Args:  cobra.MinimumNArgs(1),
	}
	c.Flags().DurationVar(&o.Patience, "timeout", engine.DefaultPatience, "how long a guest may take before its plug is pulled")
	c.Flags().BoolVarP(&o.Force, "force", "f", false, "pull the plug at once; writes that are not synced are lost")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		return each(ctx, a, args, func(ctx context.Context, name string) error {
			killed, err := a.engine.StopVM(ctx, name, o)
			if killed {
				a.say("vm %s did not shut down within %s: its plug was pulled", name, o.Patience)
			}
			return err
		})
	})
	return c
}

func (a *app) vmPauseCommand() *cobra.Command {
	return a.eachVMCommand("pause NAME...", "Hold VMs still; their memory stays", func(ctx context.Context, name string) error {
		return a.engine.PauseVM(ctx, name)
	})
}

func (a *app) vmResumeCommand() *cobra.Command {
	return a.eachVMCommand("resume NAME...", "Let paused VMs go on", func(ctx context.Context, name string) error {
		return a.engine.ResumeVM(ctx, name)
	})
}

func (a *app) vmRemoveCommand() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:     "rm NAME...",
		Aliases: []string{"remove"},
		Short:   "Remove VMs and their disks",
		Args:    cobra.MinimumNArgs(1),
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "remove those that run too, pulling their plug")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		return each(ctx, a, args, func(ctx context.Context, name string) error {
			err := a.engine.RemoveVM(ctx, name, force)
			if errors.As(err, new(*vm.PhaseError)) && !force {
				return withHint(err, "banger vm rm --force %s removes it all the same", name)
			}
			return err
		})
	})
	return c
}

// each does f for every item, goes on after a failure and returns the first,
// the others having been printed.
func each[T any](ctx context.Context, a *app, items []T, f func(context.Context, T) error) error {
	var first error
	for _, item := range items {
		err := f(ctx, item)
		switch {
		case err == nil:
		case first == nil:
			first = err
		default:
			a.report(ctx, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return first
}

func (a *app) vmLogsCommand() *cobra.Command {
	var supervisor, network, raw, follow bool
	c := &cobra.Command{
		Use:   "logs NAME",
		Short: "Print what a VM's guest wrote to its console at its last start",
		Args:  cobra.ExactArgs(1),
	}
	c.Flags().BoolVar(&supervisor, "supervisor", false, "print the supervisor's log instead")
	c.Flags().BoolVar(&network, "network", false, "print the connections and names that the guest was allowed and denied instead")
	c.MarkFlagsMutuallyExclusive("supervisor", "network")
	c.Flags().BoolVarP(&follow, "follow", "f", false, "with --network: go on while the VM runs")
	c.Flags().BoolVar(&raw, "raw", false, "print control characters too, which a terminal obeys")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		if follow && !network {
			return errors.New("--follow goes with --network")
		}
		file := engine.ConsoleLog
		switch {
		case supervisor:
			file = engine.SupervisorLog
		case network:
			file = engine.NetworkLog
		}
		log, err := a.engine.VMLog(args[0], file)
		if follow && err == nil {
			log.Close()
			log, err = a.engine.FollowTraffic(ctx, args[0])
		}
		if err != nil {
			return err
		}
		defer log.Close()
		defer context.AfterFunc(ctx, func() { log.Close() })()
		to := a.Out
		if raw {
			to = a.raw.Out
		}
		if _, err = io.Copy(to, log); ctx.Err() != nil {
			return nil
		}
		return err
	})
	return c
}
