package jail

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"banger/internal/process"
)

// tapInside returns the program's end of a jail's TAP, and the cable: the
// process in the jail lends its network to a thread of the test's.
func tapInside(t *testing.T) (*os.File, *Cable) {
	t.Helper()
	stdin, keep, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	child, cable, err := Start(t.Context(), command, Options{MTU: 9000, Argv: []string{"/bin/cat"}}, process.Cmd{Stdin: stdin})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		keep.Close()
		child.Wait()
		stdin.Close()
		cable.Close()
	})
	tap, err := openTapOf(child.PID())
	if err != nil {
		if strings.Contains(err.Error(), "operation not permitted") {
			t.Skip("needs root, to enter the jail's network: ", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { tap.Close() })
	return tap, cable
}

// openTapOf opens the TAP of a process's network.
func openTapOf(pid int) (*os.File, error) {
	type result struct {
		file *os.File
		err  error
	}
	done := make(chan result)
	go func() {
		// The thread is not given back: it stays in that network, and ends.
		runtime.LockOSThread()
		f, err := openTapIn(fmt.Sprintf("/proc/%d/ns/net", pid))
		done <- result{f, err}
	}()
	r := <-done
	return r.file, r.err
}

func openTapIn(namespace string) (*os.File, error) {
	ns, err := unix.Open(namespace, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(ns)
	if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	fd, err := unix.Open(Device, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), Device)
	ifr, err := unix.NewIfreq(Tap)
	if err != nil {
		return nil, err
	}
	ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	return f, unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
}
