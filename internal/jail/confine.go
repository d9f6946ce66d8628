package jail

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrNoLandlock says that Linux keeps a process from no files: it is too old, or was
// started without Landlock.
var ErrNoLandlock = errors.New("Linux has no Landlock here, or not that of 5.19 or newer")

const (
	readFile = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	devices  = unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK
)

// Confine gives up, for this whole process and for good, all that it does not need to
// serve the files below one directory: new privileges, most of the superuser's, and by
// Landlock all other files, running programs, and the network. Descriptors that are
// open stay as they are. The error is ErrNoLandlock, wrapped, where the last is all that is missing.
func Confine(dir *os.File, readOnly bool) error {
	if err := onAllThreads(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); err != nil {
		return fmt.Errorf("gain no privileges: %w", err)
	}
	if err := limitCapabilities(); err != nil {
		return fmt.Errorf("give up capabilities: %w", err)
	}
	return confineTo(dir, readOnly)
}

// limitCapabilities leaves the superuser no more than to reach the files of others.
func limitCapabilities() error {
	const kept = 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_FOWNER
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return err
	}
	data[0].Effective &= kept
	data[0].Permitted &= kept
	data[0].Inheritable = 0
	data[1] = unix.CapUserData{}
	return onAllThreads(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&head)), uintptr(unsafe.Pointer(&data[0])), 0)
}

func confineTo(dir *os.File, readOnly bool) error {
	version := landlockVersion()
	if version < 2 { // the first one lets nothing be moved to another directory
		return ErrNoLandlock
	}
	rules := everything(version)
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&rules)), rules.size(version), 0)
	if errno != 0 {
		return fmt.Errorf("confine to %s: %w", dir.Name(), errno)
	}
	defer unix.Close(int(fd))
	access := uint64(readFile)
	if !readOnly {
		access |= (writeFile | writeDir) &^ devices
	}
	if err := allowBeneath(fd, int(dir.Fd()), access&rules.handled); err != nil {
		return fmt.Errorf("confine to %s: %w", dir.Name(), err)
	}
	if err := onAllThreads(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); err != nil {
		return fmt.Errorf("confine to %s: %w", dir.Name(), err)
	}
	return nil
}

// everything is all that a version of Landlock can take away.
func everything(version int) ruleset {
	rules := ruleset{handled: handled(version) | readFile | unix.LANDLOCK_ACCESS_FS_EXECUTE}
	if version >= 4 {
		rules.network = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if version >= 5 {
		rules.handled |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if version >= 6 {
		rules.scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	return rules
}

// size is how much of r a version of Landlock knows, in bytes.
func (r ruleset) size(version int) uintptr {
	switch {
	case version >= 6:
		return unsafe.Sizeof(r)
	case version >= 4:
		return unsafe.Offsetof(r.scoped)
	}
	return unsafe.Offsetof(r.network)
}

// onAllThreads makes a call whose effect is a thread's own for each of the process's.
func onAllThreads(trap, a, b, c uintptr) error {
	if _, _, errno := syscall.AllThreadsSyscall(trap, a, b, c); errno != 0 {
		return errno
	}
	return nil
}
