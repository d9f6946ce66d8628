package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// maxAddresses is how many addresses a card has by SetAddresses at the most.
const maxAddresses = 16

// SetAddresses gives the card with a MAC address, which is up, these addresses,
// each with its prefix, beside its own, in place of those that it has by an
// earlier call.
func SetAddresses(mac string, addresses []string) error {
	card, err := card(mac)
	if err != nil {
		return err
	}
	if len(addresses) > maxAddresses {
		return fmt.Errorf("%d addresses: a card has %d at the most", len(addresses), maxAddresses)
	}
	s, err := openSocket()
	if err != nil {
		return err
	}
	defer s.close()
	for i := range maxAddresses {
		label := fmt.Sprintf("%s:%d", card, i)
		if i >= len(addresses) {
			s.dropLabel(label)
			continue
		}
		p, err := netip.ParsePrefix(addresses[i])
		if err != nil {
			return err
		}
		mask := netip.AddrFrom4([4]byte(net.CIDRMask(p.Bits(), 32)))
		if err := errors.Join(s.setAddr(label, unix.SIOCSIFADDR, p.Addr()), s.setAddr(label, unix.SIOCSIFNETMASK, mask)); err != nil {
			return err
		}
	}
	return nil
}

// dropLabel takes away the address that has a label, where there is one: as
// ifconfig does by setting it down.
func (s socket) dropLabel(label string) {
	ifr, err := unix.NewIfreq(label)
	if err != nil || unix.IoctlIfreq(s.fd, unix.SIOCGIFADDR, ifr) != nil {
		return
	}
	if ifr, err = unix.NewIfreq(label); err == nil {
		unix.IoctlIfreq(s.fd, unix.SIOCSIFFLAGS, ifr)
	}
}
