package jail

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Device is where TAP devices come from.
const Device = "/dev/net/tun"

// DeviceError says that this host gives its users no TAP devices.
type DeviceError struct{ Err error }

func (e *DeviceError) Error() string { return "open " + Device + ": " + e.Err.Error() }

func (e *DeviceError) Unwrap() error { return e.Err }

// OpenDevice opens the TAP driver. The error is a *DeviceError.
func OpenDevice() (*os.File, error) {
	f, err := os.OpenFile(Device, os.O_RDWR, 0)
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return nil, &DeviceError{err}
	}
	return f, nil
}

// makeTap makes the TAP device, which stays without anybody at its end: the
// program is to open it by its name, without a capability.
func makeTap(mtu int) error {
	f, err := OpenDevice()
	if err != nil {
		return err
	}
	defer f.Close()
	ifr, err := unix.NewIfreq(Tap)
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(int(f.Fd()), unix.TUNSETIFF, ifr); err != nil {
		return fmt.Errorf("make a TAP device: %w", err)
	}
	if err := unix.IoctlSetInt(int(f.Fd()), unix.TUNSETPERSIST, 1); err != nil {
		return fmt.Errorf("keep the TAP device: %w", err)
	}
	// The kernel has nothing to say on this cable.
	os.WriteFile("/proc/sys/net/ipv6/conf/"+Tap+"/disable_ipv6", []byte("1"), 0)
	return tapUp(mtu)
}

func tapUp(mtu int) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	ifr, err := unix.NewIfreq(Tap)
	if err != nil {
		return err
	}
	ifr.SetUint32(uint32(mtu))
	if err := unix.IoctlIfreq(s, unix.SIOCSIFMTU, ifr); err != nil {
		return fmt.Errorf("set the TAP device's MTU: %w", err)
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_NOARP)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, ifr); err != nil {
		return fmt.Errorf("bring the TAP device up: %w", err)
	}
	return nil
}

// handOver sends a socket that sees every frame which the program sends, and
// whose frames the program gets.
func handOver(to *os.File) error {
	all := uint16(unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8) // in network byte order
	packets, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(packets)
	ifr, err := unix.NewIfreq(Tap)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(packets, unix.SIOCGIFINDEX, ifr); err != nil {
		return err
	}
	if err := unix.Bind(packets, &unix.SockaddrLinklayer{Protocol: all, Ifindex: int(ifr.Uint32())}); err != nil {
		return err
	}
	err = unix.Sendmsg(int(to.Fd()), []byte{0}, unix.UnixRights(packets), nil, 0)
	to.Close()
	return err
}
