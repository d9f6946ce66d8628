package usernet

import (
	"encoding/binary"
	"io"
	"runtime"
	"testing"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

func TestKept(t *testing.T) {
	var k kept
	var give []func()
	fill := func(size int) (taken int) {
		for {
			gone, ok := k.take(size)
			if !ok {
				return taken
			}
			give = append(give, gone)
			taken++
		}
	}
	if n := fill(64 << 10); n == 0 || n*64<<10 > maxKept {
		t.Errorf("%d long frames are kept", n)
	}
	if n := fill(66); n == 0 || k.bytes.Load() > maxKeptShort {
		t.Errorf("%d short frames have room beside, in all %d bytes", n, k.bytes.Load())
	}
	for _, gone := range give {
		gone()
	}
	if left := k.bytes.Load(); left != 0 {
		t.Errorf("%d bytes are counted when nothing is kept", left)
	}
}

// What the stack lets go of is counted no more; what it keeps of fragments, whose
// rest never comes, is bounded by itself.
func TestKeptIsGivenBack(t *testing.T) {
	n, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for port := range 2000 { // of nobody
		n.link.receive(buffer.NewViewWithData(synFrame(uint16(port))))
	}
	if left := n.link.kept.bytes.Load(); left != 0 {
		t.Errorf("%d bytes are counted, and nothing is kept", left)
	}
	for id := range 2000 {
		n.link.receive(buffer.NewViewWithData(fragment(uint16(id), 8<<10)))
	}
	if kept := n.link.kept.bytes.Load(); kept == 0 || kept > maxKept/2 {
		t.Errorf("%d bytes of fragments are kept", kept)
	}
}

// fragment is the beginning of a packet to the gateway.
func fragment(id uint16, size int) []byte {
	frame := append(synFrame(1), make([]byte, size-header.TCPMinimumSize)...)
	ip := header.IPv4(frame[header.EthernetMinimumSize:])
	ip.SetTotalLength(uint16(len(ip)))
	ip.SetDestinationAddress(tcpip.AddrFrom4(gateway.As4()))
	ip.SetFlagsFragmentOffset(header.IPv4FlagMoreFragments, 0)
	binary.BigEndian.PutUint16(ip[4:], id)
	ip.SetChecksum(0)
	ip.SetChecksum(^ip.CalculateChecksum())
	return frame
}

// What the stack keeps of a short frame keeps no long one.
func TestShortFramesAreSmall(t *testing.T) {
	n, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n.ServePackets(t.Context(), &shortFrames{left: 2000})
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n.link.kept.bytes.Load() == 0 {
		t.Fatal("nothing is kept")
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 32<<20 {
		t.Errorf("2000 short frames take %d bytes", grown)
	}
}

// shortFrames is a guest that sends beginnings of packets.
type shortFrames struct{ left int }

func (s *shortFrames) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	s.left--
	return copy(p, fragment(uint16(s.left), 24)), nil
}

func (s *shortFrames) Write(p []byte) (int, error) { return len(p), nil }
func (s *shortFrames) Close() error                { return nil }
