package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/engine"
)

func (a *app) vmLogsCommand() *cobra.Command {
	var o engine.LogOptions
	var supervisor, network, console, raw bool
	var since, tail string
	c := &cobra.Command{
		Use: "logs NAME", SuggestFor: []string{"attach"},
		Short:   "Print what a VM's command wrote, where it runs detached, or else its guest's console",
		Example: "  banger vm logs -f --since 10m dev",
		Args:    cobra.ExactArgs(1),
	}
	flags := c.Flags()
	flags.BoolVarP(&o.Follow, "follow", "f", false, "go on until the VM is down")
	flags.StringVar(&since, "since", "", "leave out what was written before: a time such as 2026-01-31T15:04:05Z, or how long ago, such as 10m")
	flags.StringVarP(&tail, "tail", "n", "all", "begin with the last lines, so many")
	flags.IntVar(&o.Boot, "boot", 0, "print the log of an earlier boot: -1 is the one before")
	flags.BoolVar(&console, "console", false, "print the console, where the VM has a command too")
	flags.BoolVar(&supervisor, "supervisor", false, "print the supervisor's log instead")
	flags.BoolVar(&network, "network", false, "print the connections and names that the guest was allowed and denied instead")
	c.MarkFlagsMutuallyExclusive("supervisor", "network", "console")
	flags.BoolVar(&raw, "raw", false, "print control characters too, which a terminal obeys")
	c.RunE = a.run(func(ctx context.Context, args []string) (err error) {
		switch {
		case supervisor:
			o.Source = engine.SupervisorLog
		case network:
			o.Source = engine.NetworkLog
		case console:
			o.Source = engine.ConsoleLog
		}
		if o.Since, err = parseTime("since", since, time.Now()); err != nil {
			return err
		}
		if tail != "all" {
			lines, err := strconv.ParseUint(tail, 10, 31)
			if err != nil {
				return fmt.Errorf("--tail %s: write a number of lines, or all", tail)
			}
			o.Tail = new(int(lines))
		}
		to := a.Out
		if raw {
			to = a.raw.Out
		}
		if network && o.Follow {
			if o.Tail != nil {
				return errors.New("--tail goes with --network, or --follow does")
			}
			return a.followTraffic(ctx, args[0], to)
		}
		return a.engine.VMLog(ctx, args[0], o, to)
	})
	return c
}

// followTraffic prints the log of a VM's network until ctx ends, or the VM does.
func (a *app) followTraffic(ctx context.Context, name string, to io.Writer) error {
	log, err := a.engine.FollowTraffic(ctx, name)
	if err != nil {
		return err
	}
	defer log.Close()
	defer context.AfterFunc(ctx, func() { log.Close() })()
	if _, err = io.Copy(to, log); ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// parseTime reads what a flag has: a time, or how long ago it was.
func parseTime(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("--%s %s: neither a time such as 2026-01-31T15:04:05Z nor how long ago, such as 10m", flag, text)
}
