package usage

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"banger/internal/agentapi"
)

func TestStats(t *testing.T) {
	proc := t.TempDir()
	for name, content := range map[string]string{
		"stat":      "cpu  10 1 20 300 5 2 3 4 9 0\ncpu0 5 0 10 150 2 1 1 2 0 0\ncpu1 5 1 10 150 3 1 2 2 0 0\nintr 3\n",
		"meminfo":   "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 600 kB\nSwapTotal: 50 kB\nSwapFree: 40 kB\n",
		"net/dev":   "Inter-| x\n face |y\n    lo: 9 9 0 0 0 0 0 0 9 9 0 0 0 0 0 0\n  eth0: 100 2 0 0 0 0 0 0 50 1 0 0 0 0 0 0\n",
		"diskstats": " 254 0 vda 1 0 8 0 2 0 16 0 0 0 0\n 254 16 vdb 1 0 2 0 2 0 4 0 0 0 0\n 254 1 vda1 9 0 9 9 9 9 9 9 9 9 9\n 252 0 dm-0 9 9 9 9 9 9 9 9 9 9 9\n",
		"uptime":    "12.34 20.00\n",
		"7/stat":    "",
	} {
		path := filepath.Join(proc, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := Stats(proc, "/")
	got.Root, got.RootFree = 0, 0
	want := agentapi.Stats{
		CPUs: 2, BusyTicks: 40, TotalTicks: 345, Memory: 1000 << 10, MemoryFree: 600 << 10, Swap: 50 << 10, SwapFree: 40 << 10,
		NetReceived: 100, NetSent: 50, DiskRead: 10 * 512, DiskWritten: 20 * 512, Processes: 1, UptimeMillis: 12340,
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := Stats(t.TempDir(), "/absent"); got != (agentapi.Stats{}) {
		t.Errorf("nothing is there, and got %+v", got)
	}
}

// This process is among those that there are.
func TestTop(t *testing.T) {
	top := Top("/proc")
	i := slices.IndexFunc(top.Processes, func(p agentapi.Process) bool { return p.PID == os.Getpid() })
	if i < 0 {
		t.Fatal("this process is not there")
	}
	p := top.Processes[i]
	if p.PPID != os.Getppid() || p.UID != os.Getuid() || p.Threads < 1 || p.Memory < 1<<20 || !strings.Contains(p.Command, "usage.test") || len(p.Command) > agentapi.MaxCommand {
		t.Errorf("got %+v", p)
	}
}

func TestOddNames(t *testing.T) {
	proc := t.TempDir()
	for pid, stat := range map[string]string{
		"1": "1 (a) b (c) S 0 1 1 0 -1 4194560 1 1 1 1 5 6 0 0 20 0 3 0 99 1000 2 18446744073709551615",
		"2": "2 no parentheses",
		"3": "3 (short) S 0",
	} {
		if err := os.MkdirAll(filepath.Join(proc, pid), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(proc, pid, "stat"), []byte(stat), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := Top(proc).Processes
	if len(got) != 1 || got[0].Command != "[a) b (c]" || got[0].CPUTicks != 11 || got[0].Threads != 3 || got[0].StartTick != 99 {
		t.Errorf("got %+v", got)
	}
}
