// Package network gives the guest its static addresses, with the kernel's own
// calls: images need neither iproute2 nor a DHCP client.
package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrNoCard says that the guest lacks the network card that it was given.
var ErrNoCard = errors.New("no network card")

// card returns the name of the card with a MAC address: by its place it cannot
// be told from dummy0, ifb0 and their like.
func card(mac string) (string, error) {
	links, err := net.Interfaces()
	if err != nil {
		return "", err
	}
	for _, link := range links {
		if link.HardwareAddr.String() == mac {
			return link.Name, nil
		}
	}
	return "", ErrNoCard
}

// Up brings the loopback and the card with a MAC address up, the card with
// address, mtu in bytes and a default route by way of gateway.
func Up(mac, address, gateway string, prefixLen, mtu int) error {
	card, err := card(mac)
	if err != nil {
		return err
	}
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return err
	}
	via, err := netip.ParseAddr(gateway)
	if err != nil {
		return err
	}
	s, err := openSocket()
	if err != nil {
		return err
	}
	defer s.close()
	mask := netip.AddrFrom4([4]byte(net.CIDRMask(prefixLen, 32)))
	for _, step := range []func() error{
		func() error { return s.up("lo") },
		func() error { return s.setMTU(card, mtu) },
		func() error { return s.setAddr(card, unix.SIOCSIFADDR, ip) },
		func() error { return s.setAddr(card, unix.SIOCSIFNETMASK, mask) },
		func() error { return s.up(card) },
		func() error { return s.addDefaultRoute(via) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// socket carries the requests of netdevice(7); any socket does.
type socket struct{ fd int }

func openSocket() (socket, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	return socket{fd}, err
}

func (s socket) close() { unix.Close(s.fd) }

func (s socket) up(link string) error {
	ifr, err := unix.NewIfreq(link)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(s.fd, unix.SIOCGIFFLAGS, ifr); err != nil {
		return fmt.Errorf("find %s: %w", link, err)
	}
	ifr.SetUint16(ifr.Uint16() | unix.IFF_UP)
	if err := unix.IoctlIfreq(s.fd, unix.SIOCSIFFLAGS, ifr); err != nil {
		return fmt.Errorf("bring %s up: %w", link, err)
	}
	return nil
}

func (s socket) setMTU(link string, mtu int) error {
	ifr, err := unix.NewIfreq(link)
	if err != nil {
		return err
	}
	ifr.SetUint32(uint32(mtu))
	if err := unix.IoctlIfreq(s.fd, unix.SIOCSIFMTU, ifr); err != nil {
		return fmt.Errorf("set the MTU of %s to %d: %w", link, mtu, err)
	}
	return nil
}

func (s socket) setAddr(link string, request uint, addr netip.Addr) error {
	ifr, err := unix.NewIfreq(link)
	if err != nil {
		return err
	}
	if err := ifr.SetInet4Addr(addr.AsSlice()); err != nil {
		return fmt.Errorf("set %s on %s: %w", addr, link, err)
	}
	if err := unix.IoctlIfreq(s.fd, request, ifr); err != nil {
		return fmt.Errorf("set %s on %s: %w", addr, link, err)
	}
	return nil
}

// route is the kernel's struct rtentry, see route(4) of older manuals.
type route struct {
	_                     uint64
	dst, gateway, genmask unix.RawSockaddrInet4
	flags                 uint16
	_                     int16
	_                     uint64
	_                     uintptr
	metric                int16
	device                *byte
	mtu, window           uint64
	irtt                  uint16
}

func (s socket) addDefaultRoute(gateway netip.Addr) error {
	r := route{flags: unix.RTF_UP | unix.RTF_GATEWAY}
	r.dst.Family, r.genmask.Family, r.gateway.Family = unix.AF_INET, unix.AF_INET, unix.AF_INET
	r.gateway.Addr = gateway.As4()
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s.fd), unix.SIOCADDRT, uintptr(unsafe.Pointer(&r)))
	if errno != 0 {
		return fmt.Errorf("add a route by way of %s: %w", gateway, errno)
	}
	return nil
}
