package usernet

import (
	"net/netip"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// A guest may send to every address of a network from every port: what is kept of that
// has a bound, and what a peer began stays meanwhile.
func TestFlowsAreBounded(t *testing.T) {
	var l flows
	quiet, its := netip.MustParseAddr("10.1.0.1"), peerFlow{protocol: uint8(header.UDPProtocolNumber), local: 53, remote: 4000}
	l.add(quiet, its)
	most := 0
	for round := range uint16(8) {
		address := quiet
		for range 8 << 10 {
			address = address.Next()
			l.add(address, peerFlow{protocol: uint8(header.UDPProtocolNumber), local: round, remote: 1, part: true, id: round})
			most = max(most, l.n)
		}
	}
	if got := count(&l); got != l.n {
		t.Errorf("there are %d flows, and %d are counted", got, l.n)
	}
	if most > maxFlowsKept {
		t.Errorf("%d flows were kept", most)
	}
	if !l.has(quiet, its) {
		t.Error("what a peer began is forgotten")
	}
}

func TestFlowsOfOnePeerAreBounded(t *testing.T) {
	var l flows
	loud, quiet := netip.MustParseAddr("10.1.0.2"), netip.MustParseAddr("10.1.0.3")
	l.add(quiet, peerFlow{protocol: uint8(header.UDPProtocolNumber), local: 1, remote: 1})
	for port := range uint16(60000) {
		l.add(loud, peerFlow{protocol: uint8(header.UDPProtocolNumber), local: port, remote: 1})
	}
	if got := count(&l); got > maxPeerFlows+1 {
		t.Errorf("%d flows are kept", got)
	}
	if len(l.of[quiet]) != 1 {
		t.Error("another peer's is forgotten")
	}
}

// count is how many flows there are.
func count(l *flows) (n int) {
	for _, all := range l.of {
		n += len(all)
	}
	return n
}
