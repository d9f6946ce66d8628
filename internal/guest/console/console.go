// Package console is how the agent speaks while no host listens yet: its
// stages to the kernel's log, where dmesg shows them with the kernel's own
// times, and a fatal error to the machine's console.
//
// It never fails: a guest without a console boots as well.
package console

import (
	"fmt"
	"os"

	"banger/internal/agentapi"

	"golang.org/x/sys/unix"
)

// Log adds a line to the kernel's log, at a level that a quiet console does
// not show.
func Log(format string, args ...any) {
	log, err := os.OpenFile("/dev/kmsg", os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return
	}
	defer log.Close()
	fmt.Fprintf(log, "<6>banger-agent: "+format+"\n", args...)
}

// Fatal shows err on the console and returns when the line has left the
// machine.
func Fatal(err error) {
	tty, openErr := os.OpenFile("/dev/console", os.O_WRONLY|unix.O_NOCTTY, 0)
	if openErr != nil {
		tty = os.Stderr
	}
	fmt.Fprintf(tty, "\n%s%v\n", agentapi.FatalPrefix, err)
	// TCSBRK with a non-zero argument is tcdrain.
	unix.IoctlSetInt(int(tty.Fd()), unix.TCSBRK, 1)
}
