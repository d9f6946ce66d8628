package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// supervisor finds the supervisor of a VM, 0 where it has none.
func (h *home) supervisor(name string) int {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		text, _ := os.ReadFile(file)
		args := strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
		environ, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "environ"))
		if len(args) > 2 && args[1] == "supervise" && args[len(args)-1] == name && strings.Contains(string(environ), "HOME="+h.dir+"\x00") {
			var pid int
			fmt.Sscanf(file, "/proc/%d/", &pid)
			return pid
		}
	}
	return 0
}

// weight is what a supervisor takes of its host.
type weight struct{ kilobytes, descriptors int }

func (w weight) String() string {
	return fmt.Sprintf("%.1f MiB and %d descriptors", float64(w.kilobytes)/1024, w.descriptors)
}

// Go's collector and a connection that is just ending make for some noise.
const (
	noiseKilobytes   = 24 << 10
	noiseDescriptors = 8
	mostKilobytes    = 100 << 10
)

func (w weight) within(before weight) error {
	if w.kilobytes > before.kilobytes+noiseKilobytes || w.kilobytes > mostKilobytes || w.descriptors > before.descriptors+noiseDescriptors {
		return fmt.Errorf("a supervisor grew from %v to %v", before, w)
	}
	return nil
}

// weigh weighs the supervisor of the VM that lives all the time.
func (h *home) weigh() (w weight, err error) {
	pid := h.supervisor(steady)
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return w, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		fmt.Sscanf(line, "VmRSS: %d kB", &w.kilobytes)
	}
	w.descriptors = len(fds)
	return w, err
}
