// Package uevents waits for what the kernel does with devices. It takes its events for
// a reason to look again, and not for what they say.
package uevents

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Events tell of devices. They have to be listened to before what is waited for begins.
type Events struct{ fd int }

// Listen begins to hear of devices.
func Listen() (Events, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return Events{}, err
	}
	const kernelGroup = 1
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: kernelGroup}); err != nil {
		unix.Close(fd)
		return Events{}, err
	}
	return Events{fd}, nil
}

// Close ends it.
func (e Events) Close() { unix.Close(e.fd) }

// Await returns when done is so.
func (e Events) Await(within time.Duration, done func() bool) error {
	for deadline := time.Now().Add(within); !done(); {
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("not there after %v", within)
		}
		if err := e.next(left); err != nil {
			return err
		}
	}
	return nil
}

// next waits for an event, whatever it says: a node is there before it.
func (e Events) next(within time.Duration) error {
	poll := []unix.PollFd{{Fd: int32(e.fd), Events: unix.POLLIN}}
	if _, err := unix.Poll(poll, int(within.Milliseconds())+1); err != nil && !errors.Is(err, unix.EINTR) {
		return err
	}
	// Events lost for want of space are as good as one.
	var buf [8192]byte
	_, _, err := unix.Recvfrom(e.fd, buf[:], unix.MSG_DONTWAIT)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOBUFS) {
		return nil
	}
	return err
}
