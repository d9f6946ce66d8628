package usernet

import (
	"errors"
	"io/fs"
	"net/netip"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

func TestAdmitARP(t *testing.T) {
	for _, test := range []struct {
		target       string
		hostLoopback bool
		want         bool
	}{
		{gateway.String(), false, true},
		{host.String(), true, true},
		{host.String(), false, false},
		{guest.String(), true, false}, // a guest that looks whether its address is free
		{"192.168.127.9", true, false},
		{"8.8.8.8", true, false},
	} {
		n := &Network{options: Options{HostLoopback: test.hostLoopback}}
		if got := n.admit(arpRequest(guest.String(), test.target)); got != test.want {
			t.Errorf("with the host's loopback %v: admit(who has %s) = %v", test.hostLoopback, test.target, got)
		}
	}
}

// There is one address on the guest's side.
func TestAdmitDropsOtherSenders(t *testing.T) {
	n := &Network{options: Options{HostLoopback: true}}
	for _, sender := range []string{"0.0.0.0", gateway.String(), host.String(), "192.168.127.3", "8.8.8.8"} {
		if n.admit(arpRequest(sender, gateway.String())) {
			t.Errorf("an ARP request of %s is admitted", sender)
		}
		frame := synFrame(1)
		ip := header.IPv4(frame[header.EthernetMinimumSize:])
		ip.SetSourceAddress(tcpip.AddrFrom4(netip.MustParseAddr(sender).As4()))
		ip.SetChecksum(0)
		ip.SetChecksum(^ip.CalculateChecksum())
		if n.admit(frame) {
			t.Errorf("a packet of %s is admitted", sender)
		}
	}
	if !n.admit(synFrame(1)) {
		t.Error("the guest's own is not admitted")
	}
}

func TestAdmitDropsWhatIsNotIPv4(t *testing.T) {
	whole := frameOf(header.IPv4ProtocolNumber, make([]byte, header.IPv4MinimumSize))
	for name, frame := range map[string][]byte{
		"nothing":       nil,
		"half a header": whole[:header.EthernetMinimumSize-1],
		"no packet":     whole[:header.EthernetMinimumSize],
		"zeros":         whole,
		"IPv6":          frameOf(header.IPv6ProtocolNumber, make([]byte, header.IPv6MinimumSize)),
		"short ARP":     frameOf(header.ARPProtocolNumber, make([]byte, header.ARPSize-1)),
	} {
		if new(Network).admit(frame) {
			t.Errorf("admit(%s) = true", name)
		}
	}
}

// TestPing pings the host's own loopback, past the policy.
func TestPing(t *testing.T) {
	message := header.ICMPv4(make([]byte, header.ICMPv4MinimumSize, 64))
	message.SetType(header.ICMPv4Echo)
	message.SetIdent(0x1234)
	message.SetSequence(7)
	message = append(message, "payload"...)
	if _, err := echo(t.Context(), loopback, message); errors.Is(err, fs.ErrPermission) {
		t.Skip("needs net.ipv4.ping_group_range to allow ping")
	}
	n, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	replies := make(chan []byte, 1)
	n.link.connect(func(parts [][]byte) error {
		var frame []byte
		for _, part := range parts {
			frame = append(frame, part...)
		}
		replies <- frame
		return nil
	})
	n.pinger.answer(ping("198.51.100.9", message), loopback)

	frame := <-replies
	packet := header.IPv4(frame[header.EthernetMinimumSize:])
	reply := header.ICMPv4(packet.Payload())
	if header.Ethernet(frame).DestinationAddress() != guestMAC || packet.SourceAddress() != address("198.51.100.9") ||
		packet.DestinationAddress() != address(guest.String()) || !packet.IsChecksumValid() {
		t.Errorf("the answer is from %s to %s", packet.SourceAddress(), packet.DestinationAddress())
	}
	if reply.Type() != header.ICMPv4EchoReply || reply.Ident() != 0x1234 || reply.Sequence() != 7 ||
		string(reply.Payload()) != "payload" || header.ICMPv4Checksum(reply, 0) != reply.Checksum() {
		t.Errorf("the answer is %x", []byte(reply))
	}
}

func TestPingIsForAddressesOutside(t *testing.T) {
	message := header.ICMPv4(make([]byte, header.ICMPv4MinimumSize))
	message.SetType(header.ICMPv4Echo)
	other := header.ICMPv4(make([]byte, header.ICMPv4MinimumSize))
	other.SetType(header.ICMPv4Timestamp)
	n := new(Network)
	n.closed = true // a ping that is wrongly sent is seen in its count
	n.stack = newStack()
	t.Cleanup(n.stack.Destroy)
	n.pinger = &pinger{network: n, waiting: make(chan struct{})}
	for name, frame := range map[string][]byte{
		"to the host's loopback": ping("127.0.0.1", message),
		"within its own network": ping("192.168.127.9", message),
		"another message":        ping("198.51.100.9", other),
		"half a message":         ping("198.51.100.9", message[:4]),
	} {
		if n.admit(frame) {
			t.Errorf("%s: the stack would answer", name)
		}
	}
}

func arpRequest(sender, target string) []byte {
	packet := header.ARP(make([]byte, header.ARPSize))
	packet.SetIPv4OverEthernet()
	packet.SetOp(header.ARPRequest)
	from, to := address(sender).As4(), address(target).As4()
	copy(packet.ProtocolAddressSender(), from[:])
	copy(packet.ProtocolAddressTarget(), to[:])
	return frameOf(header.ARPProtocolNumber, packet)
}

func ping(target string, message []byte) []byte {
	packet := header.IPv4(make([]byte, header.IPv4MinimumSize, header.IPv4MinimumSize+len(message)))
	packet.Encode(&header.IPv4Fields{
		TotalLength: uint16(header.IPv4MinimumSize + len(message)),
		TTL:         64,
		Protocol:    uint8(header.ICMPv4ProtocolNumber),
		SrcAddr:     address(guest.String()),
		DstAddr:     address(target),
	})
	packet.SetChecksum(^packet.CalculateChecksum())
	return frameOf(header.IPv4ProtocolNumber, append(packet, message...))
}

func frameOf(kind tcpip.NetworkProtocolNumber, payload []byte) []byte {
	frame := header.Ethernet(make([]byte, header.EthernetMinimumSize))
	frame.Encode(&header.EthernetFields{SrcAddr: guestMAC, DstAddr: gatewayMAC, Type: kind})
	return append(frame, payload...)
}

func address(text string) tcpip.Address {
	return tcpip.AddrFrom4(netip.MustParseAddr(text).As4())
}

// FuzzAdmit gives what a hostile guest may send to all that reads it before the
// stack does.
func FuzzAdmit(f *testing.F) {
	message := header.ICMPv4(make([]byte, header.ICMPv4MinimumSize))
	message.SetType(header.ICMPv4Echo)
	f.Add(ping("198.51.100.9", message))
	f.Add(ping("198.51.100.9", message[:3]))
	f.Add(arpRequest(guest.String(), gateway.String()))
	f.Add(frameOf(header.IPv4ProtocolNumber, []byte{0x4f}))
	f.Add([]byte{})
	n := new(Network)
	n.closed = true
	n.stack = newStack()
	f.Cleanup(n.stack.Destroy)
	n.pinger = newPinger(n)
	f.Fuzz(func(t *testing.T, frame []byte) {
		if n.admit(frame) && len(frame) < header.EthernetMinimumSize {
			t.Errorf("admit(%x) = true", frame)
		}
	})
}
