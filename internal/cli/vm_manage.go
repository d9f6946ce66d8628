package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/engine"
	"banger/internal/vm"
)

func (a *app) vmStartCommand() *cobra.Command {
	var foreground bool
	start := func(ctx context.Context, name string) error { return a.engine.StartVM(ctx, name, a.newDisplay().show) }
	c := a.eachVMCommand("start NAME...", "Boot VMs that are stopped", start)
	c.Flags().BoolVar(&foreground, "foreground", false, "keep the VM a part of this process: SIGTERM shuts it down, and it goes down with its command")
	apart := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if !foreground {
			return apart(c, args)
		}
		return a.run(a.vmStartForeground)(c, args)
	}
	return c
}

func (a *app) vmStartForeground(ctx context.Context, args []string) error {
	if len(args) > 1 {
		return errors.New("--foreground is for one VM at a time")
	}
	d := a.newDisplay()
	defer d.end()
	return ended(a.engine.StartForeground(ctx, args[0], a.attachOutput, d.show))
}

// attachOutput shows what a VM in the foreground writes, as vm logs does on a
// terminal.
func (a *app) attachOutput() (engine.Attachment, error) {
	if a.printsToTerminal() {
		return engine.Attachment{Stdout: a.Out}, nil
	}
	return engine.Attachment{Stdout: a.raw.Out}, nil
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
	return a.stoppingCommand("stop NAME...", "Shut VMs down; their disks stay", func(ctx context.Context, name string, o engine.StopOptions) (engine.Stopped, error) {
		o.Events = a.newDisplay().show
		return a.engine.StopVM(ctx, name, o)
	})
}

func (a *app) vmRestartCommand() *cobra.Command {
	return a.stoppingCommand("restart NAME...", "Shut VMs down, where they run, and boot them again",
		func(ctx context.Context, name string, o engine.StopOptions) (engine.Stopped, error) {
			return a.engine.RestartVM(ctx, name, o, a.newDisplay().show)
		})
}

// stoppingCommand is a command that stops every VM that is named.
func (a *app) stoppingCommand(use, short string, stop func(context.Context, string, engine.StopOptions) (engine.Stopped, error)) *cobra.Command {
	o := engine.StopOptions{Patience: engine.DefaultPatience}
	c := &cobra.Command{Use: use, Short: short, Args: cobra.MinimumNArgs(1)}
	c.Flags().VarP((*patienceFlag)(&o.Patience), "timeout", "t", "how long a guest may take before its plug is pulled, such as 1m, or in seconds")
	c.Flags().BoolVarP(&o.Force, "force", "f", false, "pull the plug at once; writes that are not synced are lost")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		return each(ctx, a, args, func(ctx context.Context, name string) error {
			end, err := stop(ctx, name, o)
			switch {
			case end.Killed:
				a.say("vm %s did not shut down within %s: its plug was pulled", name, o.Patience)
			case end.Unclean:
				a.say("vm %s did not shut down in order: its root was not unmounted, and the next start replays its journal", name)
			}
			return err
		})
	})
	return c
}

// patienceFlag takes a duration, or as docker does a number of seconds.
type patienceFlag time.Duration

func (f *patienceFlag) Set(text string) error {
	if _, err := strconv.ParseUint(text, 10, 31); err == nil {
		text += "s"
	}
	value, err := time.ParseDuration(text)
	if err != nil || value < 0 {
		return fmt.Errorf("%q is no duration: write 30s, 2m or a number of seconds", text)
	}
	*f = patienceFlag(value)
	return nil
}

func (f *patienceFlag) String() string { return time.Duration(*f).String() }
func (f *patienceFlag) Type() string   { return "duration" }

func (a *app) vmPauseCommand() *cobra.Command {
	return a.eachVMCommand("pause NAME...", "Hold VMs still; their memory stays", func(ctx context.Context, name string) error {
		return a.engine.PauseVM(ctx, name, a.newDisplay().show)
	})
}

func (a *app) vmResumeCommand() *cobra.Command {
	c := a.eachVMCommand("resume NAME...", "Let paused VMs go on", func(ctx context.Context, name string) error {
		return a.engine.ResumeVM(ctx, name, a.newDisplay().show)
	})
	c.SuggestFor = []string{"unpause"}
	return c
}

func (a *app) vmRemoveCommand() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:     "rm NAME...",
		Aliases: []string{"remove"}, SuggestFor: []string{"delete"},
		Short: "Remove VMs and their disks",
		Args:  cobra.MinimumNArgs(1),
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
