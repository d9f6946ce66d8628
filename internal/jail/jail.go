// Package jail is where a VMM runs as an ordinary user: a user and a network
// namespace of its own with one TAP device in it, no capabilities, no way to
// gain any, and nothing to write to but what is the VM's.
//
// It is entered from inside: a process in new namespaces (process.OwnNetwork)
// calls Exec, which sets them up, hands the network's other end out, gives up
// what it no longer needs and becomes the VMM. What cannot be set up ends it;
// nothing is ever started with more rights than were asked for.
package jail

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Tap is the name of the TAP device in the jail.
const Tap = "tap0"

// Options says what the jail is to be.
type Options struct {
	Argv     []string // the program, by its path, and its arguments
	MTU      int      // of the TAP, in bytes
	Writable []string // files and directories that may be written to
	Cable    *os.File // socket that takes the other end of the TAP
}

// Exec makes this process the program, in the jail. It returns only an error.
func Exec(o Options) error {
	runtime.LockOSThread() // what follows is of threads, and the one that executes counts
	enterCgroup()
	if err := makeTap(o.MTU); err != nil {
		return err
	}
	// With whoever started this gone, nobody would end the program. Should it be
	// gone already, handing over fails.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("set the parent-death signal: %w", err)
	}
	if err := handOver(o.Cable); err != nil {
		return fmt.Errorf("hand over the network: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	if err := dropCapabilities(); err != nil {
		return fmt.Errorf("drop the capabilities: %w", err)
	}
	if err := protectFiles(o.Writable); err != nil && !errors.Is(err, errNoLandlock) {
		return err
	}
	err := syscall.Exec(o.Argv[0], o.Argv, []string{})
	return fmt.Errorf("run %s: %w", o.Argv[0], err)
}

// dropCapabilities leaves the process, and what it executes, without any, also
// where it is root of its namespace.
func dropCapabilities() error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			break // an older kernel has fewer
		}
		if err != nil {
			return err
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return unix.Capset(&header, &none[0])
}
