// Package power ends the machine. It always reboots: Firecracker ends with a
// reboot and not with a power-off, and QEMU is told to do the same.
package power

import (
	"errors"
	"time"
	"unsafe"

	"banger/internal/agentapi"
	"banger/internal/guest/console"
	"banger/internal/guest/disks"

	"golang.org/x/sys/unix"
)

// grace is how long processes have to end after they were asked to.
const grace = 10 * time.Second

// Fatal shows why the guest cannot go on and ends the machine.
func Fatal(err error) {
	console.Fatal(err)
	Restart()
}

// Restart flushes what was written and reboots.
func Restart() {
	flush()
	unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
}

// Off is Restart for a machine that is not to boot again: see
// [agentapi.PowerOff].
func Off() {
	flush()
	argument, _ := unix.BytePtrFromString(agentapi.PowerOff)
	unix.Syscall6(unix.SYS_REBOOT, unix.LINUX_REBOOT_MAGIC1, unix.LINUX_REBOOT_MAGIC2,
		unix.LINUX_REBOOT_CMD_RESTART2, uintptr(unsafe.Pointer(argument)), 0, 0)
}

func flush() {
	unix.Sync()
	disks.Unmount()
	// The root goes read-only so that its journal is clean; while a file is
	// open for writing it does not, and the sync has to do.
	unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_RDONLY, "")
	unix.Sync()
}

// Terminate ends every other process: politely by a signal first, then not. The
// caller is PID 1, so that each of them becomes its child. The service follows
// its own signal, and last: see [banger/internal/guest/service].
func Terminate(signal unix.Signal, service int) {
	unix.Kill(-1, signal)
	unix.Kill(-1, unix.SIGCONT)
	unix.Kill(service, unix.SIGTERM)
	kill := time.AfterFunc(grace, func() { unix.Kill(-1, unix.SIGKILL) })
	defer kill.Stop()
	for {
		if _, err := unix.Wait4(-1, nil, 0, nil); errors.Is(err, unix.ECHILD) {
			return
		}
	}
}
