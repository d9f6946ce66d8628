package vm

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// What happens to a VM and what it takes is seen, without a poll and by no program
// of the image's.
func TestSeeing(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	follow := h.command(t.Context(), "vm", "events", "--json", "--since", "1h")
	stdout, err := follow.StdoutPipe()
	h.must(err)
	h.must(follow.Start())
	h.ok("run", "-d", "--image", "debian", "--name", "box", "--", "sh", "-c", "while :; do :; done")

	var stats struct {
		VM      string
		HostCPU float64 `json:"host_cpu_percent"`
		Host    struct {
			Memory int64
			Guest  *struct{ Memory, Processes, CPUs int64 }
		}
	}
	for begin := time.Now(); stats.Host.Guest == nil && time.Since(begin) < patience; { // it may be busy
		h.must(json.Unmarshal([]byte(h.ok("vm", "stats", "--json", "box")), &stats))
	}
	if g := stats.Host.Guest; g == nil || stats.VM != "box" || stats.Host.Memory < 64<<20 || g.Memory < 512<<20 || g.Processes < 10 || g.CPUs != 1 {
		t.Errorf("got %+v", stats)
	}
	if top := h.ok("vm", "top", "box"); !strings.Contains(top, " sh -c while :;") || !strings.Contains(top, "/sbin/init") {
		t.Errorf("its processes are %s", top)
	}
	if r := h.banger("exec", "-u", "games", "box", "--", "sh", "-c", "exit 3"); r.code != 3 {
		t.Errorf("got %+v", r)
	}
	h.ok("vm", "kill", "box")
	h.ok("vm", "rm", "box")
	awaitText(t, stdout, `"event":"removed"`)
	h.must(follow.Process.Kill())
	follow.Wait()

	got := strings.Fields(h.ok("vm", "events", "--since", "1h", "--until", "0s", "box", "--format", "{{.Event}}"))
	want := []string{"created", "starting", "ready", "command-start", "exec-start", "exec-end", "stopping", "stopped", "removed"}
	if !slices.Equal(got, want) {
		t.Errorf("what happened: %q, want %q", got, want)
	}
	h.wantNothingLeft()
}
