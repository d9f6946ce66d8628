package usernet

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"banger/internal/agentapi"
)

// admit reports whether the stack shall see a frame from the guest. The stack
// stands for every address, and would answer for those too that nobody has. On
// the guest's side there is one address: for each other that it claims to have,
// the stack would look for who has it, and keep what it has to say meanwhile.
func (n *Network) admit(frame []byte) bool {
	if len(frame) < header.EthernetMinimumSize {
		return false
	}
	payload := frame[header.EthernetMinimumSize:]
	switch header.Ethernet(frame).Type() {
	case header.ARPProtocolNumber:
		return n.admitARP(payload)
	case header.IPv4ProtocolNumber:
		return n.admitIPv4(frame, payload)
	}
	return false
}

// admitARP lets through what asks for an address that is there, and replies.
func (n *Network) admitARP(packet header.ARP) bool {
	sender, _ := netip.AddrFromSlice(packet.ProtocolAddressSender())
	if !packet.IsValid() || sender != guest && n.placeAt(sender) == nil {
		return false
	}
	if packet.Op() != header.ARPRequest {
		return true
	}
	target, _ := netip.AddrFromSlice(packet.ProtocolAddressTarget())
	return n.answers(target) || n.placeAt(target) == nil && n.placeWith(target) != nil
}

// admitIPv4 sends echo requests to the outside another way.
func (n *Network) admitIPv4(frame []byte, packet header.IPv4) bool {
	if !packet.IsValid(len(packet)) {
		return false
	}
	dst := fromStack(packet.DestinationAddress())
	if src := fromStack(packet.SourceAddress()); src != guest {
		p := n.placeAt(src)
		return p != nil && !n.held.Load() && (dst == gateway || n.admitPeer(p, packet[:packet.TotalLength()], dst))
	}
	if n.held.Load() && !ofRestoring(packet, dst) || n.tuples.hold(frame, packet) {
		return false
	}
	if packet.Protocol() != uint8(header.ICMPv4ProtocolNumber) || n.answers(dst) {
		return true
	}
	n.pinger.handle(frame)
	return false
}

// ofRestoring reports whether a packet belongs to the connection on which a
// restored guest hears what it is.
func ofRestoring(packet header.IPv4, dst netip.Addr) bool {
	segment := header.TCP(packet.Payload())
	return packet.Protocol() == uint8(header.TCPProtocolNumber) && len(segment) >= header.TCPMinimumSize && dst == gateway &&
		packet.FragmentOffset() == 0 && segment.SourcePort() == agentapi.RestorePort
}

// answers reports whether an address of the guest's own network is in use by
// this side.
func (n *Network) answers(a netip.Addr) bool {
	return a == gateway || a == host && n.options.HostLoopback
}
