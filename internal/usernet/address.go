package usernet

import (
	"net/netip"

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
	return dst, !dst.IsLoopback() && !dst.IsLinkLocalUnicast()
}

func fromStack(a tcpip.Address) netip.Addr { return netip.AddrFrom4(a.As4()) }

func fullAddress(a netip.Addr, port uint16) tcpip.FullAddress {
	return tcpip.FullAddress{NIC: nicID, Addr: tcpip.AddrFrom4(a.As4()), Port: port}
}
