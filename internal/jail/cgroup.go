package jail

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// cgroupRoot is where systemd mounts version 2 of control groups.
const cgroupRoot = "/sys/fs/cgroup"

// cgroupOf returns the control group for a jail that process pid starts as: a
// group below that of this process. It is there only where that was delegated to
// this user.
func cgroupOf(pid int) string {
	own, err := ownCgroup()
	if err != nil {
		return ""
	}
	return filepath.Join(own, fmt.Sprintf("banger-%d", pid))
}

// ownCgroup returns the directory of this process's control group.
func ownCgroup() (string, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(cgroupRoot, &fs); err != nil {
		return "", err
	}
	if fs.Type != unix.CGROUP2_SUPER_MAGIC {
		return "", errors.New("control groups are not of version 2")
	}
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			return filepath.Join(cgroupRoot, strings.TrimSpace(path)), nil
		}
	}
	return "", os.ErrNotExist
}

// enterCgroup puts this process into a control group of its own where it may
// make one.
func enterCgroup() {
	dir := cgroupOf(os.Getpid())
	if dir == "" || os.Mkdir(dir, 0o755) != nil {
		return
	}
	if os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0) != nil {
		os.Remove(dir)
	}
}

// removeCgroup removes what the jail of a process that has ended leaves.
func removeCgroup(pid int) {
	if dir := cgroupOf(pid); dir != "" {
		os.Remove(dir)
	}
}
