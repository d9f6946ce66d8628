package usernet

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"banger/internal/agentapi"
)

var (
	guest   = netip.MustParseAddr(agentapi.GuestIP)
	gateway = netip.MustParseAddr(agentapi.GatewayIP)
	host    = netip.MustParseAddr(agentapi.HostIP)
	subnet  = netip.PrefixFrom(gateway, agentapi.PrefixLen).Masked()

	loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})
)

// gatewayMAC is a locally administered address.
const gatewayMAC = tcpip.LinkAddress("\x02\xba\x5e\x00\x00\x01")

// outside translates an address that the guest talks to into one of the host's
// network. ok tells whether the guest may talk to it.
func (n *Network) outside(dst netip.Addr) (_ netip.Addr, ok bool) {
	switch first := dst.As4()[0]; {
	case dst == host:
		return loopback, n.options.HostLoopback
	case subnet.Contains(dst):
		return dst, false
	case first == 0 || first >= 224: // this host, multicast, reserved, broadcast
		return dst, false
	}
	return dst, !dst.IsLoopback() && !dst.IsLinkLocalUnicast() && (n.options.HostLoopback || !n.own.has(dst))
}

// allowed is outside with the policy, for a port of the address. What is denied
// is logged with the rule.
func (n *Network) allowed(protocol string, dst netip.AddrPort) (_ netip.Addr, ok bool) {
	address, ok := n.outside(dst.Addr())
	if !ok {
		n.denied(protocol, dst, nil, "what is the host's own, or its link's, is closed")
		return address, false
	}
	if dst.Addr() == host {
		return address, true
	}
	names := n.known.of(dst.Addr())
	v := n.policy().Connection(dst, names)
	if !v.Allowed {
		n.denied(protocol, dst, names, v.Rule)
	}
	return address, v.Allowed
}

func (n *Network) denied(protocol string, dst netip.AddrPort, names []string, rule string) {
	if subnet.Contains(dst.Addr()) {
		return
	}
	n.note("denied %s %s %q by %s", protocol, dst, names, rule)
}

// ownAddresses are the host's, on all its interfaces: a server that listens on
// all of them is not meant for guests.
type ownAddresses struct {
	mu   sync.Mutex
	read time.Time
	all  []netip.Addr
}

// ownFor is how long they are believed: laptops travel.
const ownFor = time.Second

func (o *ownAddresses) has(a netip.Addr) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if time.Since(o.read) > ownFor {
		if addresses, err := net.InterfaceAddrs(); err == nil {
			o.read, o.all = time.Now(), o.all[:0]
			for _, address := range addresses {
				if p, err := netip.ParsePrefix(address.String()); err == nil {
					o.all = append(o.all, p.Addr())
				}
			}
		}
	}
	return slices.Contains(o.all, a)
}

func fromStack(a tcpip.Address) netip.Addr { return netip.AddrFrom4(a.As4()) }

func fullAddress(a netip.Addr, port uint16) tcpip.FullAddress {
	return tcpip.FullAddress{NIC: nicID, Addr: tcpip.AddrFrom4(a.As4()), Port: port}
}
