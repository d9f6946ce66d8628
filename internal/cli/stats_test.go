package cli

import (
	"bytes"
	"testing"

	"banger/internal/agentapi"
	"banger/internal/engine"
	"banger/internal/vm"
)

// Templates of docker's users find what they ask for; a guest's numbers may be any.
func TestStatsByTemplate(t *testing.T) {
	var out bytes.Buffer
	v := statsView{app: &app{Streams: Streams{Out: &out}, format: `table {{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.PIDs}}`}}
	guest := &agentapi.Stats{Memory: 4 << 30, MemoryFree: 3 << 30, NetReceived: 1 << 20, NetSent: ^uint64(0), Processes: 7}
	err := v.show([]engine.Usage{
		{VM: "box", CPU: 12.34, Host: vm.Stats{Guest: guest}}, {VM: "silent"}, {VM: "odd", Host: vm.Stats{Guest: &agentapi.Stats{}}},
	})
	want := "NAME    CPUPERC  MEM USAGE  MEM PERC  NET IO   PIDS\n" +
		"box     12.3%    1G / 4G    25.0%     1M / 0B  7\n" +
		"silent                                         \n" +
		"odd     0.0%     0B / 0B    0.0%      0B / 0B  0\n"
	if err != nil || out.String() != want {
		t.Errorf("it prints, %v\n%s", err, out.String())
	}
}
