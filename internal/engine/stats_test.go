package engine

import (
	"math"
	"testing"
	"time"

	"banger/internal/agentapi"
	"banger/internal/vm"
)

func TestUsages(t *testing.T) {
	at := time.Unix(100, 0)
	look := func(seconds int, cpu int64, guest *agentapi.Stats) vm.Stats {
		return vm.Stats{Time: at.Add(time.Duration(seconds) * time.Second), Phase: vm.Running, CPUNanos: cpu, Guest: guest}
	}
	before := map[string]vm.Stats{
		"b": look(0, 1e9, &agentapi.Stats{CPUs: 2, BusyTicks: 100, TotalTicks: 1000, NetSent: 10, DiskRead: 500}),
		"a": look(0, 0, nil),
		"c": look(0, 0, &agentapi.Stats{}),
	}
	now := map[string]vm.Stats{
		"b": look(2, 2e9, &agentapi.Stats{CPUs: 2, BusyTicks: 200, TotalTicks: 1400, NetSent: 30, DiskRead: 400}),
		"a": look(2, 3e9, nil),
		"c": look(2, 0, &agentapi.Stats{CPUs: 1 << 40, BusyTicks: math.MaxUint64, TotalTicks: 1, NetSent: math.MaxUint64}),
		"d": look(2, 9e9, &agentapi.Stats{}),
	}
	got := usages(before, now)
	if len(got) != 4 || got[0].VM != "a" || got[0].HostCPU != 150 || got[0].CPU != 0 {
		t.Fatalf("got %+v", got)
	}
	b := got[1]
	if b.HostCPU != 50 || b.CPU != 50 || b.NetSent != 10 || b.DiskRead != 0 {
		t.Errorf("got %+v", b)
	}
	for _, u := range got { // whatever a guest says
		for _, v := range []float64{u.CPU, u.HostCPU, u.NetSent} {
			if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
				t.Errorf("got %+v", u)
			}
		}
	}
}

func TestProcessesSince(t *testing.T) {
	before := agentapi.Top{UptimeMillis: 1000, Processes: []agentapi.Process{{PID: 1, StartTick: 1, CPUTicks: 50}, {PID: 2, StartTick: 5, CPUTicks: 900}}}
	now := agentapi.Top{UptimeMillis: 3000, Processes: []agentapi.Process{{PID: 1, StartTick: 1, CPUTicks: 150}, {PID: 2, StartTick: 200, CPUTicks: 20}}}
	got := processesSince(before, now)
	if len(got) != 2 || got[0].CPU != 50 || got[1].CPU != 10 {
		t.Errorf("got %+v", got)
	}
	if got := processesSince(now, agentapi.Top{Processes: now.Processes}); got[0].CPU != 0 {
		t.Errorf("over no time: %+v", got)
	}
}
