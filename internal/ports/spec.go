// Package ports leads ports of the host to those of a guest: what a user may
// ask for, and the listeners that serve it.
//
// A port is opened on the host's loopback unless another address is asked for.
// What is carried is never looked at.
package ports

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// The protocols.
const (
	TCP = "tcp"
	UDP = "udp"
)

// Spec is a port of the host that leads to one of the guest.
type Spec struct {
	HostIP    netip.Addr `json:"host_ip"`
	HostPort  uint16     `json:"host_port"` // 0 is any that is free
	GuestPort uint16     `json:"guest_port"`
	Protocol  string     `json:"protocol"`
}

// Host is the host's side, as programs take it.
func (s Spec) Host() netip.AddrPort { return netip.AddrPortFrom(s.HostIP, s.HostPort) }

func (s Spec) String() string { return fmt.Sprintf("%s:%d/%s", s.Host(), s.GuestPort, s.Protocol) }

// loopback is where ports are opened that nothing is said of.
var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// maxRange is how many ports one text may name.
const maxRange = 256

// Parse reads [HOST_IP:][HOST_PORT:]GUEST_PORT[/PROTOCOL], as docker has it: an
// IPv6 address stands in brackets, and a port may be a range such as 8000-8010.
// A host's port that is left out is the guest's, one that is empty or 0 any.
func Parse(text string) ([]Spec, error) {
	specs, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("port %q: %w", text, err)
	}
	return specs, nil
}

func parse(text string) ([]Spec, error) {
	rest, protocol, found := strings.Cut(text, "/")
	if !found {
		protocol = TCP
	}
	if protocol = strings.ToLower(protocol); protocol != TCP && protocol != UDP {
		return nil, fmt.Errorf("the protocol is %s or %s", TCP, UDP)
	}
	ip, host, guest, err := split(rest)
	if err != nil {
		return nil, err
	}
	first, count, err := parseRange(guest)
	if err != nil {
		return nil, err
	}
	if first == 0 {
		return nil, fmt.Errorf("the guest's port is 1 to 65535")
	}
	hostFirst, hostCount := 0, count
	if host != "" && host != "0" {
		if hostFirst, hostCount, err = parseRange(host); err != nil {
			return nil, err
		}
	}
	if hostCount != count {
		return nil, fmt.Errorf("%d ports of the host lead to %d of the guest", hostCount, count)
	}
	var specs []Spec
	for i := range count {
		s := Spec{HostIP: ip, GuestPort: uint16(first + i), Protocol: protocol}
		if hostFirst > 0 {
			s.HostPort = uint16(hostFirst + i)
		}
		specs = append(specs, s)
	}
	return specs, nil
}

// split takes the part before the protocol apart.
func split(text string) (ip netip.Addr, host, guest string, err error) {
	ip = loopback
	fields := strings.Split(text, ":")
	if address, rest, found := strings.Cut(text, "]:"); found && strings.HasPrefix(address, "[") {
		fields = append([]string{address[1:]}, strings.Split(rest, ":")...)
	}
	switch len(fields) {
	case 1:
		return ip, fields[0], fields[0], nil
	case 2:
		if strings.Contains(text, "[") || strings.Contains(fields[0], ".") {
			host, guest = fields[1], fields[1]
			break
		}
		return ip, fields[0], fields[1], nil
	case 3:
		host, guest = fields[1], fields[2]
	default:
		return ip, "", "", fmt.Errorf("write [HOST_IP:][HOST_PORT:]GUEST_PORT[/udp], an IPv6 address in brackets")
	}
	if ip, err = netip.ParseAddr(fields[0]); err != nil {
		return ip, "", "", fmt.Errorf("%q is no address of the host", fields[0])
	}
	return ip.Unmap(), host, guest, nil
}

// parseRange reads a port, or a range of them.
func parseRange(text string) (first, count int, err error) {
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	a, errA := strconv.ParseUint(from, 10, 16)
	b, errB := strconv.ParseUint(to, 10, 16)
	switch {
	case errA != nil || errB != nil:
		return 0, 0, fmt.Errorf("%q is no port from 1 to 65535", text)
	case b < a || b-a >= maxRange || isRange && a == 0:
		return 0, 0, fmt.Errorf("%q is no range of at most %d ports", text, maxRange)
	}
	return int(a), int(b-a) + 1, nil
}

// Check reports where two specs want one port of the host.
func Check(specs []Spec) error {
	type end struct {
		at       netip.AddrPort
		protocol string
	}
	taken := map[end]bool{}
	for _, s := range specs {
		e := end{s.Host(), s.Protocol}
		if s.HostPort != 0 && taken[e] {
			return fmt.Errorf("port %s/%s of the host is given twice", e.at, e.protocol)
		}
		taken[e] = true
	}
	return nil
}

// network is the name that net has for the protocol at an address.
func (s Spec) network() string {
	if s.HostIP.Is4() {
		return s.Protocol + "4"
	}
	return s.Protocol + "6"
}

// with is the spec with the port that a listener was given.
func (s Spec) with(address net.Addr) Spec {
	if at, err := netip.ParseAddrPort(address.String()); err == nil {
		s.HostPort = at.Port()
	}
	return s
}
