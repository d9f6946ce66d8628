package boot

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// deviceTimeout is for hosts under heavy load; devices are there at once else.
const deviceTimeout = 30 * time.Second

// uevents tells when the kernel adds a device. It must be listening before the
// drivers are loaded.
type uevents struct{ fd int }

func listenUevents() (uevents, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return uevents{}, err
	}
	const kernelGroup = 1
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: kernelGroup}); err != nil {
		unix.Close(fd)
		return uevents{}, err
	}
	return uevents{fd}, nil
}

func (u uevents) close() { unix.Close(u.fd) }

// waitFor returns when every device has its node.
func (u uevents) waitFor(devices []string) error {
	deadline := time.Now().Add(deviceTimeout)
	for _, device := range devices {
		for device != "" && !exists(device) {
			if err := u.next(deadline); err != nil {
				return fmt.Errorf("wait for %s: %w", device, err)
			}
		}
	}
	return nil
}

// next waits for an event, whatever it says: the node is there before it.
func (u uevents) next(deadline time.Time) error {
	left := time.Until(deadline)
	if left <= 0 {
		return fmt.Errorf("not there after %v", deviceTimeout)
	}
	poll := []unix.PollFd{{Fd: int32(u.fd), Events: unix.POLLIN}}
	if _, err := unix.Poll(poll, int(left.Milliseconds())+1); err != nil && !errors.Is(err, unix.EINTR) {
		return err
	}
	// Events lost for want of space are as good as one.
	var buf [8192]byte
	_, _, err := unix.Recvfrom(u.fd, buf[:], unix.MSG_DONTWAIT)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOBUFS) {
		return nil
	}
	return err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
