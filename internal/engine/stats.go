package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"banger/internal/agentapi"
	"banger/internal/vm"
)

// Usage is what a VM takes at one moment. Rates and percentages are since the
// moment before; what the guest says is null where it does not answer.
type Usage struct {
	Time    time.Time `json:"time"`
	VM      string    `json:"vm"`
	Status  vm.Phase  `json:"status"`
	HostCPU float64   `json:"host_cpu_percent"` // of the VMM and the supervisor; 100 is one processor
	Host    vm.Stats  `json:"host"`

	CPU         float64 `json:"cpu_percent"` // of the guest; 100 is one processor of its own
	NetReceived float64 `json:"net_received_per_second"`
	NetSent     float64 `json:"net_sent_per_second"`
	DiskRead    float64 `json:"disk_read_per_second"`
	DiskWritten float64 `json:"disk_written_per_second"`
}

// StatsOptions say whose usage to report, and how often.
type StatsOptions struct {
	VMs      []string      // those that run where there is none
	Interval time.Duration // between two looks
	Once     bool          // tell once and return
}

// WatchStats calls hear with what VMs take, at each interval, until ctx ends. The first
// report comes after one interval. A VM that is named has to run at the beginning; one that
// goes down later is left out.
func (e *Engine) WatchStats(ctx context.Context, o StatsOptions, hear func([]Usage) error) error {
	before, err := e.sample(ctx, o.VMs)
	if err != nil {
		return err
	}
	tick := time.NewTicker(o.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		now, err := e.sample(ctx, o.VMs)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && o.Once {
			return err
		}
		if err := hear(usages(before, now)); err != nil || o.Once {
			return err
		}
		before = now
	}
}

// sample asks the named VMs, or all that run, once. The error says why a named one gave no
// answer.
func (e *Engine) sample(ctx context.Context, names []string) (map[string]vm.Stats, error) {
	named := len(names) > 0
	if !named {
		all, err := e.vms.List()
		if err != nil {
			return nil, err
		}
		for _, v := range all {
			if v.State.Phase == vm.Running || v.State.Phase == vm.Paused {
				names = append(names, v.Name)
			}
		}
	}
	var (
		mu    sync.Mutex
		found = map[string]vm.Stats{}
		errs  []error
		asked sync.WaitGroup
	)
	for _, name := range names {
		asked.Go(func() {
			stats, err := e.vms.Stats(ctx, name)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
				return
			}
			found[name] = stats
		})
	}
	asked.Wait()
	if named && len(errs) > 0 {
		return found, errors.Join(errs...)
	}
	return found, nil
}

// usages compares two samples, sorted by name.
func usages(before, now map[string]vm.Stats) []Usage {
	var all []Usage
	for name, is := range now {
		was, known := before[name]
		if !known {
			was = is
		}
		all = append(all, usageOf(name, was, is))
	}
	slices.SortFunc(all, func(a, b Usage) int { return strings.Compare(a.VM, b.VM) })
	return all
}

func usageOf(name string, was, is vm.Stats) Usage {
	u := Usage{Time: is.Time, VM: name, Status: is.Phase, Host: is}
	seconds := is.Time.Sub(was.Time).Seconds()
	if seconds <= 0 {
		return u
	}
	taken := is.CPUNanos + is.SupervisorCPUNanos - was.CPUNanos - was.SupervisorCPUNanos
	u.HostCPU = max(0, float64(taken)/1e9/seconds*100)
	a, b := was.Guest, is.Guest
	if a == nil || b == nil {
		return u
	}
	if total := rise(a.TotalTicks, b.TotalTicks); total > 0 {
		u.CPU = rise(a.BusyTicks, b.BusyTicks) / total * 100 * float64(min(max(b.CPUs, 1), vm.MaxCPUs))
	}
	u.NetReceived, u.NetSent = rise(a.NetReceived, b.NetReceived)/seconds, rise(a.NetSent, b.NetSent)/seconds
	u.DiskRead, u.DiskWritten = rise(a.DiskRead, b.DiskRead)/seconds, rise(a.DiskWritten, b.DiskWritten)/seconds
	return u
}

// rise is by how much a counter rose. A counter restarts with each boot, and a guest may
// make it up.
func rise(was, is uint64) float64 {
	if is < was {
		return 0
	}
	return float64(is - was)
}

// Process is one of a guest's processes, and what it took since the look before.
type Process struct {
	agentapi.Process
	CPU float64 `json:"cpu_percent"` // 100 is one processor
}

// TopVM returns the processes of a running VM's guest, as the guest says, with what they
// took of its processors during the interval, which it waits for. more reports whether
// there are more than those.
func (e *Engine) TopVM(ctx context.Context, name string, interval time.Duration) (processes []Process, more bool, err error) {
	client := e.agent(name, guestRoot)
	before, err := client.Top(ctx)
	if err != nil {
		return nil, false, err
	}
	select {
	case <-ctx.Done():
		return nil, false, ctx.Err()
	case <-time.After(interval):
	}
	now, err := client.Top(ctx)
	if err != nil {
		return nil, false, err
	}
	return processesSince(before, now), now.More, nil
}

func processesSince(before, now agentapi.Top) []Process {
	type key struct {
		pid   int
		start uint64
	}
	was := map[key]uint64{}
	for _, p := range before.Processes {
		was[key{p.PID, p.StartTick}] = p.CPUTicks
	}
	seconds := float64(now.UptimeMillis-before.UptimeMillis) / 1000
	all := make([]Process, 0, len(now.Processes))
	for _, p := range now.Processes {
		took := Process{Process: p}
		if seconds > 0 { // one that is new took all of it meanwhile
			took.CPU = rise(was[key{p.PID, p.StartTick}], p.CPUTicks) / agentapi.TicksPerSecond / seconds * 100
		}
		all = append(all, took)
	}
	return all
}
