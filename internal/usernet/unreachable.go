package usernet

import (
	"errors"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// unreachableCode is what an error of the host's socket says in ICMP: RFC 792
// and RFC 1812, 5.2.7.1. ok reports whether it is one that the guest is to hear
// at once.
func unreachableCode(err error) (code header.ICMPv4Code, ok bool) {
	var errno unix.Errno
	errors.As(err, &errno)
	switch errno {
	case unix.ECONNREFUSED:
		return header.ICMPv4PortUnreachable, true
	case unix.EHOSTUNREACH, unix.EHOSTDOWN:
		return header.ICMPv4HostUnreachable, true
	case unix.ENETUNREACH, unix.ENETDOWN:
		return header.ICMPv4NetUnreachable, true
	case unix.EACCES, unix.EPERM: // the host's firewall
		return header.ICMPv4AdminProhibited, true
	}
	return 0, false
}

// quoteSize is how much of a segment or datagram an ICMP message repeats.
const quoteSize = 8

// udpQuote is the start of any datagram of a flow.
func udpQuote(id stack.TransportEndpointID) []byte {
	quote := make(header.UDP, quoteSize)
	quote.Encode(&header.UDPFields{SrcPort: id.RemotePort, DstPort: id.LocalPort, Length: quoteSize})
	return quote
}

// unreachable tells the guest by ICMP that what it sent is not delivered. quote
// is the start of that, behind the IP header.
func (n *Network) unreachable(id stack.TransportEndpointID, protocol tcpip.TransportProtocolNumber, code header.ICMPv4Code, quote []byte) {
	if to := fromStack(id.RemoteAddress); to != guest && n.placeAt(to) == nil || !n.stack.AllowICMPMessage() {
		return
	}
	route, err := n.stack.FindRoute(nicID, id.LocalAddress, id.RemoteAddress, ipv4.ProtocolNumber, false)
	if err != nil {
		return
	}
	defer route.Release()
	original := header.IPv4(make([]byte, header.IPv4MinimumSize, header.IPv4MinimumSize+len(quote)))
	original.Encode(&header.IPv4Fields{
		TotalLength: uint16(header.IPv4MinimumSize + len(quote)),
		TTL:         ipv4.DefaultTTL,
		Protocol:    uint8(protocol),
		SrcAddr:     id.RemoteAddress,
		DstAddr:     id.LocalAddress,
	})
	original.SetChecksum(^original.CalculateChecksum())

	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{
		ReserveHeaderBytes: int(route.MaxHeaderLength()) + header.ICMPv4MinimumSize,
		Payload:            buffer.MakeWithData(append(original, quote...)),
	})
	defer pkt.DecRef()
	pkt.TransportProtocolNumber = header.ICMPv4ProtocolNumber
	message := header.ICMPv4(pkt.TransportHeader().Push(header.ICMPv4MinimumSize))
	message.SetType(header.ICMPv4DstUnreachable)
	message.SetCode(code)
	message.SetChecksum(header.ICMPv4Checksum(message, pkt.Data().Checksum()))
	route.WritePacket(stack.NetworkHeaderParams{Protocol: header.ICMPv4ProtocolNumber, TTL: ipv4.DefaultTTL}, pkt)
}
