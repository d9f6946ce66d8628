package usernet

import (
	"context"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

const (
	pingTimeout = 10 * time.Second
	maxPings    = 64 // that wait for their answers at a time
)

// pinger carries ICMP echo requests to the outside and the answers back. The
// host's kernel allows that to the groups of net.ipv4.ping_group_range.
type pinger struct {
	network *Network
	waiting chan struct{} // as full as there are requests without answer
}

func newPinger(n *Network) *pinger {
	return &pinger{network: n, waiting: make(chan struct{}, maxPings)}
}

// handle takes a frame with ICMP from the guest. What is no echo request to an
// address outside, and what is too much, is dropped; what is denied is refused.
func (p *pinger) handle(frame []byte) {
	packet := header.IPv4(frame[header.EthernetMinimumSize:])
	if !isEchoRequest(packet) {
		return
	}
	to := netip.AddrPortFrom(fromStack(packet.DestinationAddress()), 0)
	address, ok := p.network.allowed("icmp", to)
	if !ok {
		p.network.refused(packet, header.ICMPv4AdminProhibited)
		return
	}
	select {
	case p.waiting <- struct{}{}:
	default:
		return
	}
	p.network.noteAllowed("icmp", to)
	frame = slices.Clone(frame) // the caller's goes back to its pool
	if !p.network.spawn(func() { p.answer(frame, address); <-p.waiting }) {
		<-p.waiting
	}
}

func isEchoRequest(packet header.IPv4) bool {
	message := header.ICMPv4(packet.Payload())
	whole := !packet.More() && packet.FragmentOffset() == 0
	return whole && len(message) >= header.ICMPv4MinimumSize && message.Type() == header.ICMPv4Echo
}

// answer sends the answer, where one comes, to the guest's request in frame.
func (p *pinger) answer(frame []byte, address netip.Addr) {
	ethernet := header.Ethernet(frame)
	packet := header.IPv4(frame[header.EthernetMinimumSize:])
	request := header.ICMPv4(packet.Payload())
	reply, err := echo(p.network.ctx, address, request)
	if err != nil || len(reply) < header.ICMPv4MinimumSize {
		return
	}
	reply.SetIdent(request.Ident()) // the host's kernel has put in its own
	reply.SetChecksum(0)
	reply.SetChecksum(header.ICMPv4Checksum(reply, 0))

	head := make([]byte, header.EthernetMinimumSize+header.IPv4MinimumSize)
	header.Ethernet(head).Encode(&header.EthernetFields{
		SrcAddr: gatewayMAC,
		DstAddr: ethernet.SourceAddress(),
		Type:    header.IPv4ProtocolNumber,
	})
	ip := header.IPv4(head[header.EthernetMinimumSize:])
	ip.Encode(&header.IPv4Fields{
		TotalLength: uint16(header.IPv4MinimumSize + len(reply)),
		TTL:         64,
		Protocol:    uint8(header.ICMPv4ProtocolNumber),
		SrcAddr:     packet.DestinationAddress(),
		DstAddr:     packet.SourceAddress(),
	})
	ip.SetChecksum(^ip.CalculateChecksum())
	p.network.link.transmit([][]byte{head, reply})
}

// echo sends an echo request and waits for its answer.
func echo(ctx context.Context, address netip.Addr, request []byte) (header.ICMPv4, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_ICMP)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	socket := os.NewFile(uintptr(fd), "ping")
	defer socket.Close()
	defer context.AfterFunc(ctx, func() { socket.Close() })()
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: address.As4()}); err != nil {
		return nil, os.NewSyscallError("connect", err)
	}
	socket.SetDeadline(time.Now().Add(pingTimeout))
	if _, err := socket.Write(request); err != nil {
		return nil, err
	}
	reply := make([]byte, len(request))
	size, err := socket.Read(reply)
	return reply[:size], err
}
