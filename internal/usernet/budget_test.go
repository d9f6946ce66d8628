package usernet

import (
	"context"
	"io"
	"testing"
	"time"
)

// The connections beyond the limit are refused, and one that ends makes room.
func TestConnectionsAreBounded(t *testing.T) {
	const limit = 4
	address := atHost(echoTCP(t))
	n, g := newNetwork(t, Options{HostLoopback: true, Conns: limit}, streamFrames)
	first := g.mustDial("tcp", address)
	for range limit - 1 {
		checkEcho(t, g.mustDial("tcp", address))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if conn, err := g.dial(ctx, "tcp", address); err == nil {
		conn.Close()
		t.Fatal("there are more connections than there may be")
	}
	first.(interface{ CloseWrite() error }).CloseWrite()
	io.Copy(io.Discard, first)
	first.Close()
	n.conns <- struct{}{} // as soon as the first has ended
	n.conns.leave()
	checkEcho(t, g.mustDial("tcp", address))
}

// However many connections there are, their buffers together are small.
func TestBuffersAreBounded(t *testing.T) {
	b, total := newBudget(DefaultConns), 0
	for b.take() {
		total += b.bufferShare()
	}
	if total > 32<<20 {
		t.Errorf("%d connections have buffers of %d bytes", len(b), total)
	}
	if first := newBudget(1).bufferShare(); first != maxBuffer {
		t.Errorf("a single connection's buffer has %d bytes", first)
	}
}

func TestAffordable(t *testing.T) {
	if got := affordable(1); got != 1 {
		t.Errorf("got %d", got)
	}
	if got := affordable(1 << 40); got <= 0 || got >= 1<<40 {
		t.Errorf("got %d", got)
	}
}

// FuzzFrames sends the stack what a guest may: any frames.
func FuzzFrames(f *testing.F) {
	arp := append([]byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x02\x08\x06"), make([]byte, 28)...)
	syn := append([]byte("\x02\xba\x5e\x00\x00\x01\x02\x00\x00\x00\x00\x02\x08\x00\x45\x00\x00\x28\x00\x00\x20\x00\x40\x06\x00\x00\xc0\xa8\x7f\x02\xc0\xa8\x7f\x01"), make([]byte, 20)...)
	f.Add(arp, 40)
	f.Add(syn, 54)
	n, err := New(Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(n.Close)
	n.servers = func() []string { return nil }
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		size = 1 + int(uint(size)%maxFrame)
		for len(data) > 0 {
			frame := data[:min(size, len(data))]
			data = data[len(frame):]
			if reachesOutside(frame) {
				continue // a test sends nothing to strangers
			}
			n.link.receive(frameView(frame))
		}
	})
}
