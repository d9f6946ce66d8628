// Package usage reads what the guest's kernel says in /proc of the use of
// processors, memory, disks and network, and of processes. It needs no program of
// the image's.
package usage

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"banger/internal/agentapi"
)

// Stats reads the counters as they are now. proc is where proc(5) is mounted. What
// cannot be read is zero.
func Stats(proc, root string) agentapi.Stats {
	var s agentapi.Stats
	readCPU(&s, rows(proc, "stat"))
	readMemory(&s, rows(proc, "meminfo"))
	readNetwork(&s, rows(proc, "net/dev"))
	readDisks(&s, rows(proc, "diskstats"))
	s.UptimeMillis = uptime(proc)
	var fs unix.Statfs_t
	if unix.Statfs(root, &fs) == nil {
		s.Root, s.RootFree = int64(fs.Blocks)*fs.Bsize, int64(fs.Bavail)*fs.Bsize
	}
	entries, _ := os.ReadDir(proc)
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err == nil {
			s.Processes++
		}
	}
	return s
}

// rows are the fields of each line of one of proc's files.
func rows(proc, name string) (all [][]string) {
	data, _ := os.ReadFile(filepath.Join(proc, name))
	for line := range strings.Lines(string(data)) {
		all = append(all, strings.Fields(line))
	}
	return all
}

func number(fields []string, i int) uint64 {
	if i >= len(fields) {
		return 0
	}
	n, _ := strconv.ParseUint(fields[i], 10, 64)
	return n
}

func readCPU(s *agentapi.Stats, rows [][]string) {
	for _, row := range rows {
		if len(row) < 6 || !strings.HasPrefix(row[0], "cpu") {
			continue
		}
		if row[0] != "cpu" {
			s.CPUs++
			continue
		}
		// user nice system idle iowait irq softirq steal; guests' are in user's.
		for i := 1; i <= 8; i++ {
			s.TotalTicks += number(row, i)
		}
		s.BusyTicks = s.TotalTicks - number(row, 4) - number(row, 5)
	}
}

func readMemory(s *agentapi.Stats, rows [][]string) {
	for _, row := range rows {
		if len(row) < 2 {
			continue
		}
		bytes := int64(number(row, 1)) << 10
		switch row[0] {
		case "MemTotal:":
			s.Memory = bytes
		case "MemAvailable:":
			s.MemoryFree = bytes
		case "SwapTotal:":
			s.Swap = bytes
		case "SwapFree:":
			s.SwapFree = bytes
		}
	}
}

// readNetwork reads what passed the card to the host.
func readNetwork(s *agentapi.Stats, rows [][]string) {
	for _, row := range rows {
		if len(row) > 9 && row[0] == "eth0:" {
			s.NetReceived, s.NetSent = number(row, 1), number(row, 9)
		}
	}
}

// readDisks adds the machine's disks up, and not what stands on them.
func readDisks(s *agentapi.Stats, rows [][]string) {
	const sector = 512
	for _, row := range rows {
		if len(row) > 9 && len(row[2]) == len("vda") && strings.HasPrefix(row[2], "vd") {
			s.DiskRead += number(row, 5) * sector
			s.DiskWritten += number(row, 9) * sector
		}
	}
}

func uptime(proc string) int64 {
	all := rows(proc, "uptime")
	if len(all) == 0 || len(all[0]) == 0 {
		return 0
	}
	seconds, _ := strconv.ParseFloat(all[0][0], 64)
	return int64(seconds * 1000)
}
