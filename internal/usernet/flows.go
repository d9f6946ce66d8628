package usernet

import (
	"maps"
	"net/netip"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// peerFlow is what belongs together of what a guest and a peer send to each other.
type peerFlow struct {
	protocol      uint8
	local, remote uint16 // ports, or with ICMP the echoes' identifier; of a fragment, the packet's
	rest          bool   // a fragment, but for the first
	opens         bool   // this packet begins it, or may
	part          bool   // and others follow that are parts of it
	id            uint16 // the packet's, for those
}

type flowKey struct {
	protocol      uint8
	rest          bool
	local, remote uint16
}

func (f peerFlow) key() flowKey { return flowKey{f.protocol, f.rest, f.local, f.remote} }

// port is what the policy knows the flow by.
func (f peerFlow) port() uint16 {
	if f.protocol == uint8(header.ICMPv4ProtocolNumber) {
		return 0
	}
	return f.remote
}

func (f peerFlow) name() string {
	switch f.protocol {
	case uint8(header.TCPProtocolNumber):
		return "tcp"
	case uint8(header.UDPProtocolNumber):
		return "udp"
	}
	return "icmp"
}

// flowOf reads a packet that the guest sends, or that is sent to it. ok is false of
// what is not carried.
func flowOf(packet header.IPv4, outward bool) (f peerFlow, ok bool) {
	if packet.FragmentOffset() != 0 {
		return peerFlow{protocol: packet.Protocol(), rest: true, local: packet.ID()}, true
	}
	f, ok = ends(packet.Protocol(), packet.Payload())
	f.part, f.id = packet.More(), packet.ID()
	if !outward {
		f.local, f.remote = f.remote, f.local
	}
	return f, ok
}

// ends reads what is behind a packet's header, as its sender sees it.
func ends(protocol uint8, payload []byte) (f peerFlow, ok bool) {
	f.protocol = protocol
	switch tcpip.TransportProtocolNumber(protocol) {
	case header.TCPProtocolNumber:
		segment := header.TCP(payload)
		if len(segment) < header.TCPMinimumSize {
			return f, false
		}
		f.local, f.remote = segment.SourcePort(), segment.DestinationPort()
		f.opens = segment.Flags()&(header.TCPFlagSyn|header.TCPFlagAck) == header.TCPFlagSyn
		return f, true
	case header.UDPProtocolNumber:
		datagram := header.UDP(payload)
		if len(datagram) < header.UDPMinimumSize {
			return f, false
		}
		f.local, f.remote, f.opens = datagram.SourcePort(), datagram.DestinationPort(), true
		return f, true
	case header.ICMPv4ProtocolNumber:
		return icmpEnds(payload)
	}
	return f, false
}

// icmpEnds knows echoes, and what says why something was not delivered, which
// belongs to the flow of that: nothing that says which way to go.
func icmpEnds(message header.ICMPv4) (f peerFlow, ok bool) {
	f.protocol = uint8(header.ICMPv4ProtocolNumber)
	if len(message) < header.ICMPv4MinimumSize {
		return f, false
	}
	switch message.Type() {
	case header.ICMPv4Echo, header.ICMPv4EchoReply:
		f.local, f.remote, f.opens = message.Ident(), message.Ident(), message.Type() == header.ICMPv4Echo
		return f, true
	case header.ICMPv4DstUnreachable, header.ICMPv4TimeExceeded, header.ICMPv4ParamProblem:
		quoted := header.IPv4(message[header.ICMPv4MinimumSize:])
		if len(quoted) < header.IPv4MinimumSize+quoteSize || quoted[0] != 4<<4|header.IPv4MinimumSize/4 {
			return f, false
		}
		ports := header.UDP(quoted[header.IPv4MinimumSize:]) // as TCP has them too
		f.protocol, f.local, f.remote = quoted.Protocol(), ports.DestinationPort(), ports.SourcePort()
		if f.protocol == uint8(header.ICMPv4ProtocolNumber) {
			ident := header.ICMPv4(ports).Ident()
			f.local, f.remote = ident, ident
		}
		return f, true
	}
	return f, false
}

const (
	// maxPeerFlows is how many flows are kept in mind of each peer; a flow that is
	// forgotten is judged again.
	maxPeerFlows = 1024
	// maxFlowsKept is how many of all peers: a network may have 65,000 addresses, and a
	// guest send to each of them.
	maxFlowsKept = 32 << 10
	partLife     = 30 * time.Second // as Linux keeps fragments
)

// flows are what a guest and its peers have begun, so that answers pass whatever
// the policy says, and what goes on is not judged packet by packet.
type flows struct {
	mu sync.Mutex
	of map[netip.Addr]map[flowKey]time.Time // until when
	n  int                                  // how many there are
}

// has reports whether a packet belongs to what has begun. What opens a connection
// is new each time.
func (l *flows) has(peer netip.Addr, f peerFlow) bool {
	if f.opens && f.protocol == uint8(header.TCPProtocolNumber) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	until, found := l.of[peer][f.key()]
	return found && time.Now().Before(until)
}

// add keeps a flow in mind, and which fragments belong to it.
func (l *flows) add(peer netip.Addr, f peerFlow) {
	if f.rest {
		return
	}
	now, life := time.Now(), flowIdle
	if f.protocol == uint8(header.TCPProtocolNumber) {
		life = connectionIdle
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n+2 > maxFlowsKept {
		l.makeRoom(now)
	}
	all := l.of[peer]
	if all == nil {
		if l.of == nil {
			l.of = map[netip.Addr]map[flowKey]time.Time{}
		}
		all = map[flowKey]time.Time{}
		l.of[peer] = all
	}
	before := len(all)
	if before+2 > maxPeerFlows {
		makeRoom(all, maxPeerFlows*3/4, now)
	}
	all[f.key()] = now.Add(life)
	if f.part {
		all[flowKey{protocol: f.protocol, rest: true, local: f.id}] = now.Add(partLife)
	}
	l.n += len(all) - before
}

// connectionIdle is how long a connection is kept in mind that says nothing: RFC
// 5382, REQ-5.
const connectionIdle = 2*time.Hour + 4*time.Minute

// makeRoom forgets what is over, and then of those peers who have the most: what others
// have begun stays.
func (l *flows) makeRoom(now time.Time) {
	share := maxFlowsKept / 2 / max(len(l.of), 1)
	l.n = 0
	for peer, all := range l.of {
		makeRoom(all, share, now)
		if l.n += len(all); len(all) == 0 {
			delete(l.of, peer)
		}
	}
}

// makeRoom forgets the flows that are over, and of the others until there are no more
// than most.
func makeRoom(all map[flowKey]time.Time, most int, now time.Time) {
	maps.DeleteFunc(all, func(_ flowKey, until time.Time) bool { return now.After(until) })
	for key := range all {
		if len(all) <= most {
			return
		}
		delete(all, key)
	}
}

// completeChecksum writes a whole packet's checksum: a card may have been left to
// do that, and there is none between two guests.
func completeChecksum(packet header.IPv4) {
	if packet.More() || packet.FragmentOffset() != 0 {
		return
	}
	payload := packet.Payload()
	sum := header.PseudoHeaderChecksum(packet.TransportProtocol(), packet.SourceAddress(), packet.DestinationAddress(), uint16(len(payload)))
	switch packet.TransportProtocol() {
	case header.TCPProtocolNumber:
		segment := header.TCP(payload)
		segment.SetChecksum(0)
		segment.SetChecksum(^checksum.Checksum(payload, sum))
	case header.UDPProtocolNumber:
		datagram := header.UDP(payload)
		if datagram.Checksum() == 0 {
			return // the sender does without
		}
		datagram.SetChecksum(0)
		done := ^checksum.Checksum(payload, sum)
		if done == 0 {
			done = 0xffff
		}
		datagram.SetChecksum(done)
	}
}
