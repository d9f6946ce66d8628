package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

func (a *app) vmWaitCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "wait NAME...",
		Short: "Wait until the commands of VMs have ended, print their exit statuses and end with the last that is not 0",
		Long: "Wait until the commands of VMs have ended that vm run --detach gave them, print their exit statuses and\n" +
			"end with the last one that is not 0. A VM without one is waited for until it is down, and counts as 0.",
		Args: cobra.MinimumNArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			last := 0
			err := each(ctx, a, args, func(ctx context.Context, name string) error {
				status, err := a.engine.WaitVM(ctx, name)
				if err != nil {
					return err
				}
				if status != 0 {
					last = status
				}
				_, err = fmt.Fprintln(a.Out, exitError(status).code())
				return err
			})
			return ended(last, err)
		}),
	}
}

func (a *app) vmKillCommand() *cobra.Command {
	var signal string
	c := &cobra.Command{
		Use:   "kill NAME...",
		Short: "Pull the plug of VMs, or send another signal to their commands",
		Args:  cobra.MinimumNArgs(1),
	}
	c.Flags().StringVarP(&signal, "signal", "s", "KILL", "KILL pulls the plug; another is for the command that vm run --detach gave the VM")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		name, err := signalName(signal)
		if err != nil {
			return err
		}
		return each(ctx, a, args, func(ctx context.Context, vm string) error { return a.engine.KillVM(ctx, vm, name) })
	})
	return c
}

// signalName is SSH's name of a signal, which has no SIG before it.
func signalName(text string) (string, error) {
	name := strings.TrimPrefix(strings.ToUpper(text), "SIG")
	if number, err := strconv.Atoi(text); err == nil {
		name = strings.TrimPrefix(unix.SignalName(unix.Signal(number)), "SIG")
	}
	if name == "" || unix.SignalNum("SIG"+name) == 0 {
		return "", withHint(fmt.Errorf("%q is no signal", text), "such as TERM, HUP or USR1")
	}
	return name, nil
}

func (a *app) vmTouchCommand() *cobra.Command {
	return a.eachVMCommand("touch NAME...", "Begin the time to live of VMs, and their time without use, anew",
		func(ctx context.Context, name string) error { return a.engine.TouchVM(ctx, name) })
}
