package statedir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// KillHolder kills the process that holds the lock at path: a last resort where
// it hears nothing else. That nobody holds it is no error.
//
// The kernel keeps no process number with an open file description lock, but
// shows it with the descriptors of who has it. The holder is killed by a
// descriptor of the process that was taken before the look and is alive after
// it, so never another that got its number.
func KillHolder(path string) error {
	file, err := os.Stat(path)
	if err != nil {
		return err
	}
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, process := range processes {
		pid, err := strconv.Atoi(process.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		if killed, err := killIfHolder(pid, file); killed || err != nil {
			return err
		}
	}
	if !Locked(path) {
		return nil
	}
	return errors.New("no process of yours holds its lock")
}

func killIfHolder(pid int, file os.FileInfo) (killed bool, err error) {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false, nil // ended meanwhile
	}
	defer unix.Close(process)
	if !holds(pid, file) || unix.PidfdSendSignal(process, 0, nil, 0) != nil {
		return false, nil
	}
	if err := unix.PidfdSendSignal(process, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return false, fmt.Errorf("kill process %d: %w", pid, err)
	}
	return true, nil
}

// HeldBy reports whether a process holds the lock at path. It sees this user's
// processes only.
func HeldBy(path string, pid int) bool {
	file, err := os.Stat(path)
	return err == nil && holds(pid, file)
}

// holds reports whether a process has a descriptor that locks file. It sees those
// of this user's processes only.
func holds(pid int, file os.FileInfo) bool {
	dir := fmt.Sprintf("/proc/%d", pid)
	descriptors, _ := os.ReadDir(filepath.Join(dir, "fdinfo"))
	for _, d := range descriptors {
		info, err := os.ReadFile(filepath.Join(dir, "fdinfo", d.Name()))
		if err != nil || !strings.Contains(string(info), "OFDLCK") {
			continue
		}
		locked, err := os.Stat(filepath.Join(dir, "fd", d.Name()))
		if err == nil && os.SameFile(locked, file) {
			return true
		}
	}
	return false
}
