package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/statedir"
	"banger/internal/vm"
)

// defaultPatience is how long a guest may take to shut down.
const defaultPatience = 60 * time.Second

func (a *app) vmStartCommand() *cobra.Command {
	return a.eachVMCommand("start NAME...", "Boot VMs that are stopped", func(ctx context.Context, name string) error {
		lease, err := a.start(ctx, name)
		if err != nil {
			return err
		}
		return lease.End()
	})
}

// eachVMCommand is a command that does f for every VM that is named.
func (a *app) eachVMCommand(use, short string, f func(context.Context, string) error) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.MinimumNArgs(1),
		RunE:  a.run(func(ctx context.Context, args []string) error { return a.each(ctx, args, f) }),
	}
}

// start boots a VM by running this executable again as its supervisor, with
// flags.
func (a *app) start(ctx context.Context, name string, flags ...string) (*vm.Lease, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find banger's own executable: %w", err)
	}
	command := append([]string{self, superviseName}, flags...)
	return a.vms.Start(ctx, name, command, func(stage string) { a.say("%s", stage) })
}

func (a *app) vmStopCommand() *cobra.Command {
	var patience time.Duration
	var force bool
	c := &cobra.Command{
		Use:   "stop NAME...",
		Short: "Shut VMs down; their disks stay",
		Args:  cobra.MinimumNArgs(1),
	}
	c.Flags().DurationVar(&patience, "timeout", defaultPatience, "how long a guest may take before its plug is pulled")
	c.Flags().BoolVarP(&force, "force", "f", false, "pull the plug at once; writes that are not synced are lost")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		return a.each(ctx, args, func(ctx context.Context, name string) error {
			if force {
				return a.vms.Kill(ctx, name)
			}
			killed, err := a.vms.Stop(ctx, name, patience)
			if killed {
				a.say("vm %s did not shut down within %s: its plug was pulled", name, patience)
			}
			return err
		})
	})
	return c
}

func (a *app) vmPauseCommand() *cobra.Command {
	return a.eachVMCommand("pause NAME...", "Hold VMs still; their memory stays", func(ctx context.Context, name string) error {
		return a.vms.Pause(ctx, name)
	})
}

func (a *app) vmResumeCommand() *cobra.Command {
	return a.eachVMCommand("resume NAME...", "Let paused VMs go on", func(ctx context.Context, name string) error {
		return a.vms.Resume(ctx, name)
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
		return a.each(ctx, args, func(ctx context.Context, name string) error {
			return a.removeVM(ctx, name, force)
		})
	})
	return c
}

func (a *app) removeVM(ctx context.Context, name string, force bool) error {
	err := a.vms.Remove(name)
	phase, runs := errors.AsType[*vm.PhaseError](err)
	if !runs || !force {
		if runs {
			return withHint(phase, "banger vm rm --force %s removes it all the same", name)
		}
		return err
	}
	if err := a.vms.Kill(ctx, name); err != nil {
		return err
	}
	return a.removeIfThere(name)
}

// removeIfThere removes a VM that is not running. An ephemeral one has been
// removed by its supervisor already.
func (a *app) removeIfThere(name string) error {
	err := a.vms.Remove(name)
	if _, gone := errors.AsType[*vm.NotFoundError](err); gone {
		return nil
	}
	return err
}

// each does f for every name, goes on after a failure and returns the first,
// the others having been printed.
func (a *app) each(ctx context.Context, names []string, f func(context.Context, string) error) error {
	var first error
	for _, name := range names {
		err := f(ctx, name)
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
	var supervisor bool
	c := &cobra.Command{
		Use:   "logs NAME",
		Short: "Print what a VM's guest wrote to its console at its last start",
		Args:  cobra.ExactArgs(1),
	}
	c.Flags().BoolVar(&supervisor, "supervisor", false, "print the supervisor's log instead")
	c.RunE = a.run(func(_ context.Context, args []string) error {
		if _, err := a.vms.Get(args[0]); err != nil {
			return err
		}
		file := statedir.ConsoleLog
		if supervisor {
			file = statedir.SupervisorLog
		}
		return a.printFile(a.vms.Path(args[0], file))
	})
	return c
}

// printFile prints a log; one that was never written is an empty one.
func (a *app) printFile(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(a.Out, f)
	return err
}
