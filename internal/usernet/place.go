package usernet

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"banger/internal/agentapi"
	"banger/internal/usernet/peers"
	"banger/internal/usernet/policy"
)

// Place is the guest's place in a network that it shares with other VMs' guests.
type Place struct {
	Network   string
	Address   netip.Prefix // the guest's own, with the network's bits
	Directory peers.Directory
}

// place is one with what is carried in it: packets, as they are, since the
// connections in them are the guests' own. The stack sees none of them, but to
// refuse what the policy denies.
type place struct {
	Place
	port  *peers.Port
	flows flows
}

// joinNetworks opens the guest's ports to its networks.
func (n *Network) joinNetworks() error {
	for _, at := range n.options.Networks {
		p := &place{Place: at}
		port, err := peers.Join(peers.Options{
			Name: n.options.Name, Address: at.Address.Addr(), MaxPacket: agentapi.MTU, Directory: at.Directory, Log: n.options.Log,
			Deliver: func(from netip.Addr, packet []byte) { n.deliver(p, from, packet) },
			Absent:  n.absent,
		})
		if err != nil {
			return err
		}
		p.port = port
		n.places = append(n.places, p)
	}
	return nil
}

// placeAt returns the place that has an address as the guest's own, or nil.
func (n *Network) placeAt(a netip.Addr) *place {
	for _, p := range n.places {
		if p.Address.Addr() == a {
			return p
		}
	}
	return nil
}

// placeWith returns the place whose network an address is of, or nil.
func (n *Network) placeWith(a netip.Addr) *place {
	for _, p := range n.places {
		if p.Address.Contains(a) {
			return p
		}
	}
	return nil
}

// names are all that a peer is called.
func (p *place) names(a netip.Addr) []string {
	m, ok := p.Directory.ByAddress(a)
	if !ok {
		return nil
	}
	return policy.PeerNames(m.Name)
}

func (p *place) asRule() policy.Network {
	return policy.Network{Name: p.Network, Subnet: p.Address.Masked()}
}

func (n *Network) peerVerdict(p *place, to netip.AddrPort) (policy.Verdict, []string) {
	names := p.names(to.Addr())
	return n.policy().Peer(to, names, p.asRule()), names
}

// admitPeer sends what the guest may send to a peer, and reports whether the stack
// shall see it: that refuses what is denied.
func (n *Network) admitPeer(p *place, packet header.IPv4, to netip.Addr) bool {
	if !p.Address.Contains(to) || !peers.Belongs(packet, p.Address.Addr(), to, agentapi.MTU) {
		return false
	}
	f, ok := flowOf(packet, true)
	if !ok {
		return false
	}
	if !p.flows.has(to, f) {
		if f.rest {
			return false
		}
		at := netip.AddrPortFrom(to, f.port())
		v, names := n.peerVerdict(p, at)
		if !v.Allowed {
			if f.protocol == uint8(header.ICMPv4ProtocolNumber) {
				n.note("denied icmp %s %q by %s", at, names, v.Rule)
				return false
			}
			return true
		}
		if f.opens {
			n.note("allowed %s %s %q by %s", f.name(), at, names, v.Rule)
		}
	}
	p.flows.add(to, f)
	completeChecksum(packet)
	p.port.Send(to, packet)
	return false
}

// deliver gives the guest what a peer has sent.
func (n *Network) deliver(p *place, from netip.Addr, packet header.IPv4) {
	f, ok := flowOf(packet, false)
	if !ok || n.held.Load() {
		return
	}
	if f.opens {
		p.flows.add(from, f)
	}
	head := make(header.Ethernet, header.EthernetMinimumSize)
	head.Encode(&header.EthernetFields{SrcAddr: gatewayMAC, DstAddr: tcpip.LinkAddress(n.options.MAC), Type: header.IPv4ProtocolNumber})
	n.link.transmit([][]byte{head, packet})
}

// absent tells the guest that nobody is where it sends to.
func (n *Network) absent(packet []byte) { n.refused(packet, header.ICMPv4HostUnreachable) }

// refused tells the guest why a packet of its own does not go on.
func (n *Network) refused(ip header.IPv4, why header.ICMPv4Code) {
	payload := ip.Payload()
	if ip.FragmentOffset() != 0 || len(payload) < quoteSize {
		return
	}
	id := stack.TransportEndpointID{LocalAddress: ip.DestinationAddress(), RemoteAddress: ip.SourceAddress()}
	n.unreachable(id, ip.TransportProtocol(), why, payload[:quoteSize])
}
