package supervisor

import (
	"bufio"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A guest decides how much is done here, and so how much garbage there is. What
// is in use is bounded where it arises; this makes the collector run in time. The program's own pages, about 10 MiB once it has started, come on top.
const (
	memoryLimit = 62 << 20 // bytes
	garbage     = 25       // percent of what is in use
)

func limitMemory() {
	debug.SetMemoryLimit(memoryLimit)
	debug.SetGCPercent(garbage)
}

// releaseBoot gives back what booting took and nothing needs again: garbage, and
// the pages of the program's own file, such as the agent's, which the kernel maps
// again where they are read.
func releaseBoot() {
	debug.FreeOSMemory()
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer maps.Close()
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	for _, m := range unwritten(maps, program) {
		// By its number: Go's own wrapper takes a slice, and this is no memory of Go's.
		unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_DONTNEED)
	}
}

// mapping is a range of addresses.
type mapping struct{ start, end uintptr }

// unwritten returns where a process has mapped a file as it is on disk: what the
// process may not write, and has no page of its own in, as a relocated one has.
// smaps is as in proc_pid_smaps(5).
func unwritten(smaps io.Reader, file string) (found []mapping) {
	var here mapping
	var fits bool
	for lines := bufio.NewScanner(smaps); lines.Scan(); {
		fields := strings.SplitN(lines.Text(), " ", 6)
		if m, ok := parseMapping(fields[0]); ok {
			here = m
			fits = len(fields) == 6 && !strings.Contains(fields[1], "w") && strings.TrimLeft(fields[5], " ") == file
		} else if fits && fields[0] == "Anonymous:" && strings.HasSuffix(lines.Text(), " 0 kB") {
			found = append(found, here)
		}
	}
	return found
}

func parseMapping(text string) (mapping, bool) {
	start, end, _ := strings.Cut(text, "-")
	from, fromErr := strconv.ParseUint(start, 16, 64)
	to, toErr := strconv.ParseUint(end, 16, 64)
	return mapping{uintptr(from), uintptr(to)}, fromErr == nil && toErr == nil
}
