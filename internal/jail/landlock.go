package jail

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// errNoLandlock says that the kernel protects no files from its processes.
var errNoLandlock = errors.New("this kernel has no Landlock")

// What Landlock calls writing. Older kernels know less of it; see handled.
const (
	writeFile = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	writeDir  = unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG |
		unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_SYM | unix.LANDLOCK_ACCESS_FS_REFER
)

// ruleset and beneath are the kernel's structs, of linux/landlock.h.
type ruleset struct{ handled, network, scoped uint64 }

type beneath struct {
	allowed uint64
	parent  int32
}

// HasLandlock reports whether the kernel protects files from the program.
func HasLandlock() bool { return landlockVersion() > 0 }

func landlockVersion() int {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(version)
}

// handled returns which accesses a version of Landlock knows.
func handled(version int) uint64 {
	access := uint64(writeFile | writeDir)
	if version < 3 {
		access &^= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version < 2 {
		access &^= unix.LANDLOCK_ACCESS_FS_REFER
	}
	return access
}

// protectFiles lets this thread, and what it executes, write to nothing but the
// given files and what is below the given directories.
func protectFiles(writable []string) error {
	version := landlockVersion()
	if version == 0 {
		return errNoLandlock
	}
	access := handled(version)
	rules := ruleset{handled: access}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&rules)), unsafe.Sizeof(rules.handled), 0)
	if errno != 0 {
		return fmt.Errorf("protect the files: %w", errno)
	}
	defer unix.Close(int(fd))
	for _, path := range writable {
		if err := allow(fd, path, access); err != nil {
			return fmt.Errorf("let %s be written: %w", path, err)
		}
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return fmt.Errorf("protect the files: %w", errno)
	}
	return nil
}

func allow(rules uintptr, path string, access uint64) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		access &= writeFile
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return allowBeneath(rules, fd, access)
}

func allowBeneath(rules uintptr, fd int, access uint64) error {
	rule := beneath{access, int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, rules, unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
