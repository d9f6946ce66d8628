package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/agentapi"
	"banger/internal/engine"
	"banger/internal/size"
)

func (a *app) vmTopCommand() *cobra.Command {
	var watch bool
	var sort string
	interval := time.Second
	c := &cobra.Command{
		Use:   "top NAME",
		Short: "List the processes of a VM's guest, which needs no ps",
		Args:  cobra.ExactArgs(1),
	}
	c.Flags().BoolVarP(&watch, "watch", "w", false, "go on until ^C")
	c.Flags().DurationVar(&interval, "interval", interval, "time during which processors are watched")
	c.Flags().StringVar(&sort, "sort", "cpu", "order by cpu, memory, time or pid")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		order := processOrder[sort]
		if order == nil {
			return fmt.Errorf("--sort %s: the keys are cpu, memory, time and pid", sort)
		}
		if interval < minInterval {
			return fmt.Errorf("--interval %s: %s at the least", interval, minInterval)
		}
		var view *live
		if watch && a.format == formatTable {
			view = a.newLive()
		}
		for {
			processes, more, err := a.engine.TopVM(ctx, args[0], interval)
			if err != nil {
				return err
			}
			slices.SortStableFunc(processes, order)
			if err := a.printTop(view, processes, more); err != nil || !watch {
				return err
			}
		}
	})
	return c
}

var processOrder = map[string]func(a, b engine.Process) int{
	"cpu":    func(a, b engine.Process) int { return cmp.Compare(b.CPU, a.CPU) },
	"memory": func(a, b engine.Process) int { return cmp.Compare(b.Memory, a.Memory) },
	"time":   func(a, b engine.Process) int { return cmp.Compare(b.CPUTicks, a.CPUTicks) },
	"pid":    func(a, b engine.Process) int { return cmp.Compare(a.PID, b.PID) },
}

func (a *app) printTop(view *live, processes []engine.Process, more bool) error {
	if a.format != formatTable {
		return list(a, processes, "", nil)
	}
	var text bytes.Buffer
	topTable(&text, processes)
	if view != nil {
		return view.draw(text.String())
	}
	if more {
		a.say("there are more than %d processes", len(processes))
	}
	_, err := text.WriteTo(a.Out)
	return err
}

func topTable(to io.Writer, processes []engine.Process) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PID\tPPID\tUID\tSTATE\tTHREADS\tCPU\tMEMORY\tTIME\tCOMMAND")
	for _, p := range processes {
		fmt.Fprintln(w, strings.Join([]string{
			strconv.Itoa(p.PID), strconv.Itoa(p.PPID), strconv.Itoa(p.UID), oneLine(p.State), strconv.Itoa(p.Threads),
			percent(p.CPU), size.Size(max(p.Memory, 0)).String(), cpuTime(p.CPUTicks), oneLine(p.Command),
		}, "\t"))
	}
	w.Flush()
}

func cpuTime(ticks uint64) string {
	seconds := ticks / agentapi.TicksPerSecond
	return fmt.Sprintf("%d:%02d.%02d", seconds/60, seconds%60, ticks%agentapi.TicksPerSecond)
}
