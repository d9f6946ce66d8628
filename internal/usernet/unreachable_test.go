package usernet

import (
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"banger/internal/agentapi"
)

// A closed port is refused at once, each time, and quotes what was sent.
func TestDatagramToClosedPort(t *testing.T) {
	_, g := newNetwork(t, Options{HostLoopback: true}, streamFrames)
	conn := g.mustDial("udp", net.JoinHostPort(agentapi.HostIP, unusedPort(t)))
	for range 3 {
		if _, err := conn.Write([]byte("x")); err != nil {
			continue // the stack of the fake guest tells of the last one
		}
		got := <-g.icmp
		if got.Type() != header.ICMPv4DstUnreachable || got.Code() != header.ICMPv4PortUnreachable {
			t.Fatalf("the guest got %x, want that the port is unreachable", []byte(got))
		}
		packet := header.IPv4(got.Payload())
		if !packet.IsChecksumValid() || fromStack(packet.DestinationAddress()) != host || fromStack(packet.SourceAddress()) != guest {
			t.Errorf("it quotes %x", []byte(packet))
		}
	}
}

func TestUnreachableCode(t *testing.T) {
	for errno, want := range map[unix.Errno]header.ICMPv4Code{
		unix.ECONNREFUSED: header.ICMPv4PortUnreachable,
		unix.EHOSTUNREACH: header.ICMPv4HostUnreachable,
		unix.ENETUNREACH:  header.ICMPv4NetUnreachable,
		unix.EPERM:        header.ICMPv4AdminProhibited,
	} {
		wrapped := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errno)}
		if got, ok := unreachableCode(wrapped); !ok || got != want {
			t.Errorf("%v is code %d, %v; want %d", errno, got, ok, want)
		}
	}
	for _, err := range []error{nil, os.ErrDeadlineExceeded, unix.ETIMEDOUT} {
		if _, ok := unreachableCode(err); ok {
			t.Errorf("%v has a code", err)
		}
	}
}

// What the guest's kernel matches is the start of the very segment.
func TestUnreachableQuotesTheSegment(t *testing.T) {
	n, g := newNetwork(t, Options{}, streamFrames)
	s := newStarts()
	segment := make(header.TCP, header.TCPMinimumSize)
	segment.Encode(&header.TCPFields{SrcPort: 40000, DstPort: 80, SeqNum: 0xdecade, DataOffset: header.TCPMinimumSize, Flags: header.TCPFlagSyn})
	id := stack.TransportEndpointID{
		LocalPort: 80, LocalAddress: fullAddress(gateway, 0).Addr,
		RemotePort: 40000, RemoteAddress: fullAddress(guest, 0).Addr,
	}
	s.note(id, segment)
	n.unreachable(id, tcp.ProtocolNumber, header.ICMPv4HostUnreachable, s.take(id))
	got := <-g.icmp
	if got.Type() != header.ICMPv4DstUnreachable || got.Code() != header.ICMPv4HostUnreachable || header.ICMPv4Checksum(got[:header.ICMPv4MinimumSize], 0) == 0 {
		t.Errorf("the guest got %x", []byte(got))
	}
	if quoted := header.IPv4(got.Payload()).Payload(); string(quoted) != string(segment[:quoteSize]) {
		t.Errorf("it quotes %x, want %x", quoted, segment[:quoteSize])
	}
	if s.take(id) != nil {
		t.Error("a start was kept")
	}
}

func TestStartsAreBounded(t *testing.T) {
	s := newStarts()
	segment := make(header.TCP, header.TCPMinimumSize)
	segment.SetFlags(uint8(header.TCPFlagSyn))
	for port := range 5 * maxConnecting {
		s.note(stack.TransportEndpointID{RemotePort: uint16(port)}, segment)
	}
	if len(s.quote) > maxConnecting {
		t.Errorf("%d starts are kept", len(s.quote))
	}
}
