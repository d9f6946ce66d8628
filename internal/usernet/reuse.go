package usernet

import (
	"bytes"
	"encoding/binary"
	"sync"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// tuples are the guest's connections, by their addresses and ports. A guest that
// has reset one may use its port again at once. The stack would have that SYN wait
// in the old endpoint's queue, behind the reset, and answer it by a reset when the
// endpoint ends; so it waits here until then.
type tuples struct {
	mu sync.Mutex
	of map[stack.TransportEndpointID]*tuple
}

// tuple is one connection's.
type tuple struct {
	start    uint32 // its SYN's sequence number
	endpoint tcpip.Endpoint

	next      []byte // the frame with the SYN of the one that follows, or nil
	nextStart uint32
}

// begin notes a connection that begins with a segment, of which quote is the start.
func (c *tuples) begin(id stack.TransportEndpointID, quote []byte) *tuple {
	if quote == nil {
		return nil
	}
	t := &tuple{start: binary.BigEndian.Uint32(quote[4:])}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[stack.TransportEndpointID]*tuple{}
	}
	c.of[id] = t
	return t
}

// accepted notes the endpoint that a connection has got.
func (c *tuples) accepted(t *tuple, endpoint tcpip.Endpoint) {
	if t == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t.endpoint = endpoint
}

// end forgets a connection, and returns the frame that waited for that, or nil.
func (c *tuples) end(id stack.TransportEndpointID, t *tuple) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t == nil || c.of[id] != t {
		return nil
	}
	delete(c.of, id)
	return t.next
}

// hold reports whether a frame has to wait until the last connection of its
// addresses and ports is over. One that is sent again goes to the stack: it asks
// the guest whether the last is over, where nothing said so.
func (c *tuples) hold(frame []byte, packet header.IPv4) bool {
	id, start, ok := startOf(packet)
	if !ok || len(frame) > shortFrame {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.of[id]
	if t == nil || t.start == start || t.endpoint != nil && isOver(t.endpoint) {
		return false
	}
	if t.next != nil && t.nextStart == start {
		return false
	}
	t.next, t.nextStart = bytes.Clone(frame), start
	return true
}

// startOf returns which connection a packet of the guest's begins, and its first
// sequence number. ok is false of a packet that begins none.
func startOf(packet header.IPv4) (id stack.TransportEndpointID, start uint32, ok bool) {
	segment := header.TCP(packet.Payload())
	if packet.TransportProtocol() != header.TCPProtocolNumber || packet.FragmentOffset() != 0 || !isStart(segment) {
		return id, 0, false
	}
	return stack.TransportEndpointID{
		LocalPort: segment.DestinationPort(), LocalAddress: packet.DestinationAddress(),
		RemotePort: segment.SourcePort(), RemoteAddress: packet.SourceAddress(),
	}, segment.SequenceNumber(), true
}

// isStart reports whether a segment begins a connection.
func isStart(segment header.TCP) bool {
	const flags = header.TCPFlagSyn | header.TCPFlagAck | header.TCPFlagRst | header.TCPFlagFin
	return len(segment) >= header.TCPMinimumSize && segment.Flags()&flags == header.TCPFlagSyn
}

// endTuple lets the connection begin that has waited for a tuple's end.
func (n *Network) endTuple(id stack.TransportEndpointID, t *tuple) {
	if next := n.tuples.end(id, t); next != nil {
		n.link.receive(buffer.NewViewWithData(next))
	}
}
