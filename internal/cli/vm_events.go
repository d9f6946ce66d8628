package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/engine"
	"banger/internal/journal"
)

func (a *app) vmEventsCommand() *cobra.Command {
	var o engine.EventOptions
	var since, until string
	var filters []string
	c := &cobra.Command{
		Use:   "events [VM...]",
		Short: "Follow what happens to VMs, or to all",
		Example: "  banger vm events --json --since 1h\n" +
			"  banger vm events --event stopped --event died",
		Args: cobra.ArbitraryArgs,
	}
	flags := c.Flags()
	flags.StringVar(&since, "since", "", "begin with what happened since a time such as 2026-01-31T15:04:05Z, or how long ago, such as 10m")
	flags.StringVar(&until, "until", "", "end at a time, or so long ago: 0s is now")
	flags.StringArrayVar(&o.Kinds, "event", nil, "only events of this kind, such as ready; may be repeated")
	flags.StringArrayVarP(&filters, "filter", "f", nil, "only events of event=KIND, or of vm=NAME; may be repeated")
	c.RunE = a.run(func(ctx context.Context, args []string) (err error) {
		o.VMs = args
		if err := eventFilters(filters, &o); err != nil {
			return err
		}
		now := time.Now()
		if o.Since, err = parseTime("since", since, now); err != nil {
			return err
		}
		if o.Until, err = parseTime("until", until, now); err != nil {
			return err
		}
		err = a.engine.FollowVMs(ctx, o, a.printEvent)
		if err == nil {
			err = ctx.Err() // ^C
		}
		return err
	})
	return c
}

// eventFilters reads filters as docker writes them.
func eventFilters(filters []string, o *engine.EventOptions) error {
	for _, filter := range filters {
		switch kind, value, _ := strings.Cut(filter, "="); kind {
		case "event":
			o.Kinds = append(o.Kinds, value)
		case "vm":
			o.VMs = append(o.VMs, value)
		default:
			return fmt.Errorf("--filter %s: the kinds are event and vm", filter)
		}
	}
	return nil
}

// printEvent prints a line.
func (a *app) printEvent(e journal.Entry) error {
	switch {
	case a.format == formatJSON:
		data, err := json.Marshal(e)
		if err != nil {
			return err
		}
		_, err = a.Out.Write(append(printableJSON(data), '\n'))
		return err
	case isTemplate(a.format):
		return printLines(a.Out, a.format, []journal.Entry{e}) // each when it comes, and so in no table
	}
	_, err := fmt.Fprintln(a.Out, oneLine(eventLine(e)))
	return err
}

// eventLine is an event for people.
func eventLine(e journal.Entry) string {
	words := []string{e.Time.Local().Format("2006-01-02T15:04:05.000"), e.VM, e.Event}
	if e.Exec != "" {
		words = append(words, e.Exec)
	}
	if e.Status != nil {
		words = append(words, "status "+strconv.Itoa(*e.Status))
	}
	if e.User != "" && e.User != "root" {
		words = append(words, "as "+e.User)
	}
	words = append(words, e.Argv...)
	if e.Detail != "" {
		words = append(words, "("+e.Detail+")")
	}
	return strings.Join(words, " ")
}
