package process

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// What yields to everything else: a class of ioprio_set(2), and a priority of
// nice(1).
const (
	ioIdle     = 3 << 13 // IOPRIO_CLASS_IDLE
	whoProcess = 1       // IOPRIO_WHO_PROCESS
	lowest     = 19
)

// idly calls start, which starts a child, so that the child and its own have of
// processors and disks only what nobody else wants.
func idly(start func() error) error {
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		err := yieldThread()
		if err == nil {
			err = start()
		}
		failed <- err
	}()
	return <-failed
}

// yieldThread has the calling thread, and what it starts, yield.
func yieldThread() error {
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, lowest); err != nil {
		return fmt.Errorf("yield the processors: %w", err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOPRIO_SET, whoProcess, 0, ioIdle); errno != 0 {
		return fmt.Errorf("yield the disks: %w", errno)
	}
	return nil
}

// Yield makes this process, and those that it starts, the first that the kernel kills
// when memory runs out.
func Yield() error { return os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0) }

// FreeMemory is how much memory programs can have without others having to give
// some up, in bytes: the host's, or the control group's where that has less.
func FreeMemory() (int64, error) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, found := strings.CutPrefix(lines.Text(), "MemAvailable:"); found {
			free, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return min(free<<10, groupMemory("/sys/fs/cgroup")), err
		}
	}
	return 0, errors.New("/proc/meminfo does not say how much memory is free")
}

// groupMemory is what the control group at dir, the one that this process sees as
// its root, has left.
func groupMemory(dir string) int64 {
	const unlimited = 1<<63 - 1
	most, err := readNumber(dir + "/memory.max")
	if err != nil {
		return unlimited
	}
	used, err := readNumber(dir + "/memory.current")
	if err != nil {
		return unlimited
	}
	return max(most-used, 0)
}

func readNumber(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}
