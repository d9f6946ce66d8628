package process

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// descriptors lists this process's descriptors.
const descriptors = "/proc/self/fd"

// CloseOnExec keeps from this process's children the descriptors that it has
// itself been given, beyond the standard ones: a lock or a pipe of the caller's
// must not live as long as a VM.
func CloseOnExec() error {
	entries, err := os.ReadDir(descriptors)
	if err != nil {
		return fmt.Errorf("list the open files: %w", err)
	}
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > unix.Stderr {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}
