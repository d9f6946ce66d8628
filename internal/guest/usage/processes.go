package usage

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"banger/internal/agentapi"
)

// Top lists the processes there are.
func Top(proc string) agentapi.Top {
	top := agentapi.Top{UptimeMillis: uptime(proc), Processes: []agentapi.Process{}}
	entries, _ := os.ReadDir(proc)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if len(top.Processes) == agentapi.MaxProcesses {
			top.More = true
			break
		}
		if p, ok := process(proc, pid); ok {
			top.Processes = append(top.Processes, p)
		}
	}
	return top
}

// process reads one, unless it has ended meanwhile.
func process(proc string, pid int) (p agentapi.Process, ok bool) {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return p, false
	}
	// The program's name may hold anything, and ends with the last parenthesis.
	begin, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if begin < 0 || end < begin {
		return p, false
	}
	name, fields := string(stat[begin+1:end]), strings.Fields(string(stat[end+1:]))
	const state, ppid, user, system, threads, start, resident = 0, 1, 11, 12, 17, 19, 21
	if len(fields) <= resident {
		return p, false
	}
	p = agentapi.Process{
		PID: pid, PPID: int(number(fields, ppid)), State: fields[state], Threads: int(number(fields, threads)),
		Memory: int64(number(fields, resident)) * int64(os.Getpagesize()), CPUTicks: number(fields, user) + number(fields, system),
		StartTick: number(fields, start), Command: command(dir, name),
	}
	if info, err := os.Stat(dir); err == nil {
		if st, isStat := info.Sys().(*syscall.Stat_t); isStat {
			p.UID = int(st.Uid)
		}
	}
	return p, true
}

// command is a process's arguments, or in brackets its name where it has none.
func command(dir, name string) string {
	f, err := os.Open(filepath.Join(dir, "cmdline"))
	if err != nil {
		return "[" + name + "]"
	}
	defer f.Close()
	buf := make([]byte, agentapi.MaxCommand)
	n, _ := f.Read(buf)
	text := strings.TrimRight(string(buf[:n]), "\x00")
	if text == "" {
		return "[" + name + "]"
	}
	return strings.ReplaceAll(text, "\x00", " ")
}
