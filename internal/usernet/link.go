package usernet

import (
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"banger/internal/agentapi"
)

// maxFrame is the longest Ethernet frame, in bytes.
const maxFrame = header.EthernetMinimumSize + agentapi.MTU

// link is the stack's end of the cable to the guest; the frames on it are
// whole Ethernet frames. What is sent while no guest is there is lost.
type link struct {
	address tcpip.LinkAddress
	admit   func(frame []byte) bool // filters what comes from the guest

	mu   sync.Mutex // one frame at a time
	send func(frame [][]byte) error

	// dispatcher is the stack. It is not under mu: to receive must go on while
	// the guest does not read, or neither side would move again.
	dispatcher atomic.Pointer[stack.NetworkDispatcher]
	kept       kept
}

func newLink(address tcpip.LinkAddress, admit func([]byte) bool) *link {
	return &link{address: address, admit: admit}
}

// connect puts a guest at the other end.
func (l *link) connect(send func(frame [][]byte) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.send = send
}

// detach takes it away. Its connection must have been closed: see transmit.
func (l *link) detach() { l.connect(nil) }

// transmit sends one frame to the guest. It blocks while the guest does not
// read, which is what paces senders.
func (l *link) transmit(frame [][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.send == nil {
		return
	}
	if l.send(frame) != nil {
		l.send = nil // the receiving side sees the connection's end
	}
}

// receive takes a frame from the guest.
func (l *link) receive(frame *buffer.View) {
	dispatcher := l.dispatcher.Load()
	if dispatcher == nil || !l.admit(frame.AsSlice()) {
		frame.Release()
		return
	}
	gone, ok := l.kept.take(frame.Size())
	if !ok {
		frame.Release()
		return
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithView(frame), OnRelease: gone})
	(*dispatcher).DeliverNetworkPacket(0, pkt)
	pkt.DecRef()
}

// WritePackets implements stack.LinkEndpoint.
func (l *link) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	for _, pkt := range pkts.AsSlice() {
		l.transmit(pkt.AsSlices())
	}
	return pkts.Len(), nil
}

// Attach implements stack.LinkEndpoint.
func (l *link) Attach(d stack.NetworkDispatcher) {
	if d == nil {
		l.dispatcher.Store(nil)
		return
	}
	l.dispatcher.Store(&d)
}

// IsAttached implements stack.LinkEndpoint.
func (l *link) IsAttached() bool { return l.dispatcher.Load() != nil }

// MTU implements stack.LinkEndpoint.
func (l *link) MTU() uint32 { return maxFrame }

// Capabilities implements stack.LinkEndpoint. Nothing corrupts a frame between
// the guest's memory and this process.
func (l *link) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityRXChecksumOffload
}

// LinkAddress implements stack.LinkEndpoint.
func (l *link) LinkAddress() tcpip.LinkAddress { return l.address }

// The rest of stack.LinkEndpoint needs nothing from this link.

func (l *link) SetMTU(uint32)                           {}
func (l *link) MaxHeaderLength() uint16                 { return 0 }
func (l *link) SetLinkAddress(tcpip.LinkAddress)        {}
func (l *link) Wait()                                   {}
func (l *link) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareNone }
func (l *link) AddHeader(*stack.PacketBuffer)           {}
func (l *link) ParseHeader(*stack.PacketBuffer) bool    { return true }
func (l *link) Close()                                  {}
func (l *link) SetOnCloseAction(func())                 {}
