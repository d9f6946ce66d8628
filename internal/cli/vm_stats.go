package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/engine"
	"banger/internal/size"
)

func (a *app) vmStatsCommand() *cobra.Command {
	o := engine.StatsOptions{Interval: time.Second}
	var watch bool
	c := &cobra.Command{
		Use:     "stats [NAME...]",
		Short:   "Show what VMs take: processors, memory, disk and network, of the guest and of the host",
		Example: "  banger vm stats --watch\n  banger vm stats --json dev",
		Args:    cobra.ArbitraryArgs,
	}
	c.Flags().BoolVarP(&watch, "watch", "w", false, "go on until ^C, on a terminal as a live view with curves")
	c.Flags().Bool("no-stream", true, "look once, which is the default")
	c.Flags().Lookup("no-stream").Hidden = true
	c.Flags().DurationVar(&o.Interval, "interval", o.Interval, "time between two looks")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		if o.Interval < minInterval {
			return fmt.Errorf("--interval %s: %s at the least", o.Interval, minInterval)
		}
		o.VMs, o.Once = args, !watch
		v := statsView{app: a, curves: map[string]*curves{}}
		if watch && a.format == formatTable {
			v.live = a.newLive()
		}
		return a.engine.WatchStats(ctx, o, v.show)
	})
	return c
}

// minInterval is the least between two looks: each costs a little of what it shows.
const minInterval = 100 * time.Millisecond

// statsView shows what VMs take.
type statsView struct {
	app    *app
	live   *live
	curves map[string]*curves
}

// curves are a VM's last values.
type curves struct{ cpu, memory history }

func (v *statsView) show(all []engine.Usage) error {
	switch {
	case v.app.format == formatJSON:
		for _, u := range all {
			data, err := json.Marshal(u)
			if err != nil {
				return err
			}
			if _, err := v.app.Out.Write(append(printableJSON(data), '\n')); err != nil {
				return err
			}
		}
		return nil
	case isTemplate(v.app.format):
		var rows []usageRow
		for _, u := range all {
			rows = append(rows, newUsageRow(u))
		}
		return printByTemplate(v.app.Out, v.app.format, rows)
	case v.live != nil:
		var text bytes.Buffer
		v.table(&text, all)
		return v.live.draw(text.String())
	}
	return v.table(v.app.Out, all)
}

func (v *statsView) table(to io.Writer, all []engine.Usage) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	header := "NAME STATUS CPU MEMORY NET_IN NET_OUT DISK_READ DISK_WRITE ROOT PROCESSES HOST_CPU HOST_MEMORY HOST_DISK"
	if v.live != nil {
		header += " CPU_CURVE MEMORY_CURVE"
	}
	fmt.Fprintln(w, strings.ReplaceAll(strings.ReplaceAll(header, " ", "\t"), "_", " "))
	for _, u := range all {
		cells := usageCells(u)
		if v.live != nil {
			cells = append(cells, v.curve(u)...)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush()
}

// usageRow is what a VM takes as templates see it, also by docker's names.
type usageRow struct {
	engine.Usage
	Name, CPUPerc, MemUsage, MemPerc, NetIO, BlockIO, PIDs string
}

func newUsageRow(u engine.Usage) usageRow {
	row := usageRow{Usage: u, Name: u.VM}
	if g := u.Host.Guest; g != nil {
		used := g.Memory - g.MemoryFree
		row.CPUPerc, row.MemUsage, row.MemPerc = percent(u.CPU), both(used, g.Memory), percent(100*float64(used)/float64(max(g.Memory, 1)))
		row.NetIO, row.BlockIO, row.PIDs = both(int64(g.NetReceived), int64(g.NetSent)), both(int64(g.DiskRead), int64(g.DiskWritten)), strconv.Itoa(g.Processes)
	}
	return row
}

// both are two amounts as docker writes them.
func both(a, b int64) string {
	return size.Size(max(a, 0)).String() + " / " + size.Size(max(b, 0)).String()
}

// usageCells are a row of the table.
func usageCells(u engine.Usage) []string {
	guest := []string{"", "", "", "", "", "", "", ""}
	if g := u.Host.Guest; g != nil {
		guest = []string{
			percent(u.CPU), amounts(g.Memory-g.MemoryFree, g.Memory), rate(u.NetReceived), rate(u.NetSent),
			rate(u.DiskRead), rate(u.DiskWritten), amounts(g.Root-g.RootFree, g.Root), strconv.Itoa(g.Processes),
		}
	}
	cells := append([]string{u.VM, string(u.Status)}, guest...)
	return append(cells, percent(u.HostCPU), size.Size(u.Host.Memory+u.Host.SupervisorMemory).String(), size.Size(u.Host.DiskUsage).String())
}

// curve notes a VM's values, and draws its last ones.
func (v *statsView) curve(u engine.Usage) []string {
	c := v.curves[u.VM]
	if c == nil {
		c = &curves{}
		v.curves[u.VM] = c
	}
	g := u.Host.Guest
	if g == nil || g.Memory <= 0 {
		return []string{"", ""}
	}
	c.cpu.add(u.CPU)
	c.memory.add(float64(g.Memory - g.MemoryFree))
	return []string{sparkline(c.cpu, 100*float64(max(g.CPUs, 1))), sparkline(c.memory, float64(g.Memory))}
}

func percent(v float64) string { return fmt.Sprintf("%.1f%%", v) }

func rate(v float64) string { return size.Size(v).String() + "/s" }

// amounts is how much of a whole is used. Both are a guest's word.
func amounts(used, whole int64) string {
	return size.Size(max(used, 0)).String() + "/" + size.Size(max(whole, 0)).String()
}
