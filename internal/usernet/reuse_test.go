package usernet

import (
	"net"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// A guest resets a connection, and uses its port again before the stack has looked
// at the reset.
func TestPortUsedAgainAtOnce(t *testing.T) {
	n := newSilentNetwork(t, Options{HostLoopback: true})
	h := newHolder(t)
	to := uint16(h.Addr().(*net.TCPAddr).Port)
	got := make(chan header.TCP, 1024)
	n.link.connect(func(parts [][]byte) error {
		var frame []byte
		for _, part := range parts {
			frame = append(frame, part...)
		}
		if header.Ethernet(frame).Type() == header.IPv4ProtocolNumber {
			got <- header.TCP(header.IPv4(frame[header.EthernetMinimumSize:]).Payload())
		}
		return nil
	})
	send := func(from uint16, seq, ack uint32, flags header.TCPFlags) {
		n.link.receive(frameView(segmentTo(host, header.TCPFields{SrcPort: from, DstPort: to, SeqNum: seq, AckNum: ack, Flags: flags})))
	}
	// awaitStart awaits that the connection goes on which began with seq.
	awaitStart := func(from uint16, seq uint32) (theirs uint32) {
		for {
			select {
			case s := <-got:
				switch {
				case s.DestinationPort() != from:
				case s.Flags().Contains(header.TCPFlagRst) && s.AckNumber() == seq+1:
					t.Fatalf("port %d: a connection is refused", from)
				case s.Flags() == header.TCPFlagSyn|header.TCPFlagAck && s.AckNumber() == seq+1:
					return s.SequenceNumber()
				}
			case <-time.After(time.Minute):
				t.Fatalf("port %d: a connection is not answered", from)
			}
		}
	}
	const first, second = 1000, 500000
	for from := uint16(1024); from < 1224; from++ {
		send(from, first, 0, header.TCPFlagSyn)
		theirs := awaitStart(from, first)
		send(from, first+1, theirs+1, header.TCPFlagAck)
		send(from, first+1, theirs+1, header.TCPFlagRst|header.TCPFlagAck)
		send(from, second, 0, header.TCPFlagSyn)
		theirs = awaitStart(from, second)
		send(from, second+1, theirs+1, header.TCPFlagRst|header.TCPFlagAck)
	}
}

// A guest that knows nothing of its last connection any more begins another from
// its port. The stack asks about the last once the start comes again.
func TestPortUsedAgainWithoutReset(t *testing.T) {
	var c tuples
	frame := segmentTo(host, header.TCPFields{SrcPort: 1024, DstPort: 80, SeqNum: 7, Flags: header.TCPFlagSyn})
	packet := header.IPv4(frame[header.EthernetMinimumSize:])
	id, _, _ := startOf(packet)
	if c.hold(frame, packet) {
		t.Error("a first connection is held")
	}
	last := c.begin(id, packet.Payload()[:quoteSize])
	if c.hold(frame, packet) {
		t.Error("what is sent again is held")
	}
	again := segmentTo(host, header.TCPFields{SrcPort: 1024, DstPort: 80, SeqNum: 8, Flags: header.TCPFlagSyn})
	packet = header.IPv4(again[header.EthernetMinimumSize:])
	if !c.hold(again, packet) || c.hold(again, packet) {
		t.Error("the next connection's start is not held once")
	}
	if next := c.end(id, last); string(next) != string(again) {
		t.Errorf("after the last comes % x", next)
	}
	if c.hold(again, packet) {
		t.Error("a connection is held though the last is over")
	}
}
