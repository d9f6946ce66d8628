package usernet

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"banger/internal/agentapi"
	"banger/internal/usernet/policy"
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
// network. ok reports whether the guest may talk to it.
func (n *Network) outside(dst netip.Addr) (_ netip.Addr, ok bool) {
	switch {
	case dst == host:
		return loopback, n.options.HostLoopback
	case subnet.Contains(dst) || n.options.Isolated != "" || n.placeWith(dst) != nil:
		return dst, false
	case n.options.HostLoopback:
		return dst, !policy.OfHost(dst, nil)
	}
	return dst, !policy.OfHost(dst, n.own.get())
}

// allowed is outside with the policy, for a port of the address. What is denied
// is logged with the rule.
func (n *Network) allowed(protocol string, dst netip.AddrPort) (_ netip.Addr, ok bool) {
	address, ok := n.outside(dst.Addr())
	if !ok {
		names, rule := n.whyClosed(dst)
		n.denied(protocol, dst, names, rule)
		return address, false
	}
	if dst.Addr() == host {
		return address, true
	}
	names := n.known.of(dst.Addr())
	rules := n.policy()
	v := rules.Connection(dst, names)
	if v.Allowed && protocol == "udp" && dst.Port() == httpsPort {
		// Of QUIC nobody sees which host is meant; clients fall back to TLS.
		v = rules.Connection(dst, nil)
	}
	if secrets := n.secrets.of(dst.Addr()); v.Allowed && protocol == "udp" && dst.Port() == httpsPort && len(secrets) > 0 {
		v, names = policy.Verdict{Rule: "its secrets"}, secrets // which go by TLS alone
	}
	if !v.Allowed {
		n.denied(protocol, dst, names, v.Rule)
	}
	return address, v.Allowed
}

// whyClosed is the rule by which an address is not of the outside, with the names
// that it has.
func (n *Network) whyClosed(dst netip.AddrPort) (names []string, rule string) {
	if p := n.placeWith(dst.Addr()); p != nil {
		v, names := n.peerVerdict(p, dst)
		if v.Allowed {
			return names, "a network takes only what comes from its own addresses"
		}
		return names, v.Rule
	}
	if n.options.Isolated != "" {
		return nil, n.options.Isolated
	}
	return nil, policy.RuleOfHost
}

const httpsPort = 443

// noteAllowed logs what begins.
func (n *Network) noteAllowed(protocol string, dst netip.AddrPort) {
	if n.options.Traffic == nil {
		return
	}
	names, rule := n.known.of(dst.Addr()), "--host-loopback"
	if dst.Addr() != host {
		rule = n.policy().Connection(dst, names).Rule
	}
	n.note("allowed %s %s %q by %s", protocol, dst, names, rule)
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

func (o *ownAddresses) get() []netip.Addr {
	o.mu.Lock()
	defer o.mu.Unlock()
	if time.Since(o.read) > ownFor {
		if addresses, err := net.InterfaceAddrs(); err == nil {
			o.read, o.all = time.Now(), nil
			for _, address := range addresses {
				if p, err := netip.ParsePrefix(address.String()); err == nil {
					o.all = append(o.all, p.Addr())
				}
			}
		}
	}
	return o.all
}

func fromStack(a tcpip.Address) netip.Addr { return netip.AddrFrom4(a.As4()) }

func fullAddress(a netip.Addr, port uint16) tcpip.FullAddress {
	return tcpip.FullAddress{NIC: nicID, Addr: tcpip.AddrFrom4(a.As4()), Port: port}
}
