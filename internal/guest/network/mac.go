package network

import (
	"fmt"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SetMAC gives the card with one MAC address another.
func SetMAC(from, to string) error {
	if from == to {
		return nil
	}
	name, err := card(from)
	if err != nil {
		return err
	}
	mac, err := net.ParseMAC(to)
	if err != nil {
		return err
	}
	s, err := openSocket()
	if err != nil {
		return err
	}
	defer s.close()
	// struct ifreq with a struct sockaddr: the family, then the address.
	var request struct {
		name    [unix.IFNAMSIZ]byte
		family  uint16
		address [22]byte
	}
	copy(request.name[:unix.IFNAMSIZ-1], name)
	request.family = unix.ARPHRD_ETHER
	copy(request.address[:], mac)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s.fd), unix.SIOCSIFHWADDR, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return fmt.Errorf("set the address of %s: %w", name, errno)
	}
	return nil
}
