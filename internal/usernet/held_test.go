package usernet

import (
	"net/netip"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"banger/internal/agentapi"
)

// A guest that is held reaches nothing, but can answer who restores it.
func TestHeld(t *testing.T) {
	n, err := New(Options{Held: true, HostLoopback: true})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for _, test := range []struct {
		name     string
		frame    []byte
		held, up bool // whether it gets through
	}{
		{"the restore port's answer", ipv4Frame(header.TCPProtocolNumber, agentapi.RestorePort, gateway, 0), true, true},
		{"the link", ipv4Frame(header.TCPProtocolNumber, agentapi.LinkPort, gateway, 0), false, true},
		{"a name", ipv4Frame(header.UDPProtocolNumber, agentapi.RestorePort, gateway, 0), false, true},
		{"the outside from the restore port", ipv4Frame(header.TCPProtocolNumber, agentapi.RestorePort, netip.MustParseAddr("1.1.1.1"), 0), false, true},
		{"the host from the restore port", ipv4Frame(header.TCPProtocolNumber, agentapi.RestorePort, host, 0), false, true},
		{"a later fragment", ipv4Frame(header.TCPProtocolNumber, agentapi.RestorePort, gateway, 8), false, true},
		{"who has the gateway", arpRequest(agentapi.GuestIP, gateway.String()), true, true},
	} {
		n.held.Store(true)
		if got := n.admit(test.frame); got != test.held {
			t.Errorf("held: admit(%s) = %v", test.name, got)
		}
		n.Release()
		if got := n.admit(test.frame); got != test.up {
			t.Errorf("released: admit(%s) = %v", test.name, got)
		}
	}
}

// ipv4Frame is one from a port of the guest.
func ipv4Frame(protocol tcpip.TransportProtocolNumber, port uint16, to netip.Addr, fragment uint16) []byte {
	packet := make([]byte, header.IPv4MinimumSize+header.TCPMinimumSize)
	header.IPv4(packet).Encode(&header.IPv4Fields{
		TotalLength: uint16(len(packet)), TTL: 64, Protocol: uint8(protocol), FragmentOffset: fragment,
		SrcAddr: tcpip.AddrFrom4(guest.As4()), DstAddr: tcpip.AddrFrom4(to.As4()),
	})
	header.TCP(packet[header.IPv4MinimumSize:]).Encode(&header.TCPFields{SrcPort: port, DstPort: 80, DataOffset: header.TCPMinimumSize})
	return frameOf(header.IPv4ProtocolNumber, packet)
}
