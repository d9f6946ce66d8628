package usernet

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// halfConn is a connection of the host's or the guest's.
type halfConn interface {
	net.Conn
	CloseWrite() error
}

// turn is a connection whose reader takes a while to come to it.
type turn struct {
	reader, writer halfConn
	size           int
}

// begin has all of them written to at once: each gets its size, and the end, once its
// reader has ended its own side.
func begin(t *testing.T, turns []turn) {
	t.Helper()
	for _, turn := range turns {
		go func() {
			defer turn.writer.Close()
			io.Copy(io.Discard, turn.writer)
			turn.writer.Write(make([]byte, turn.size))
		}()
		if err := turn.reader.CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
}

// readAll reads one after another.
func readAll(turns []turn) error {
	for i, turn := range turns {
		turn.reader.SetReadDeadline(time.Now().Add(time.Minute))
		if got, err := io.Copy(io.Discard, turn.reader); err != nil || got != int64(turn.size) {
			return fmt.Errorf("connection %d: read %d bytes of %d: %w", i, got, turn.size, err)
		}
	}
	return nil
}

// Who has many connections may read them one after another: those whose turn has not
// come hold up nobody, and lose nothing.
func TestReadInTurn(t *testing.T) {
	n, g := newNetwork(t, Options{HostLoopback: true}, streamFrames)
	g.receiveLittle()
	ofHost, ofGuest := listenTCP(t), g.listen(8000)
	outward := func() (dialled, accepted halfConn) {
		dialled = g.mustDial("tcp", atHost(ofHost.Addr().String())).(halfConn)
		return dialled, accept(t, ofHost)
	}
	into := func() (dialled, accepted halfConn) {
		dialled, _ = inward(t, n, 8000)
		return dialled, accept(t, ofGuest)
	}
	for name, connect := range map[string]func() (reader, writer halfConn){
		"by the guest that dialled":  outward,
		"by the host that accepted":  func() (_, _ halfConn) { d, a := outward(); return a, d },
		"by the host that dialled":   into,
		"by the guest that accepted": func() (_, _ halfConn) { d, a := into(); return a, d },
	} {
		var turns []turn
		for range 50 {
			reader, writer := connect()
			turns = append(turns, turn{reader, writer, 300 << 10})
		}
		begin(t, turns)
		if err := readAll(turns); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A guest that has ended its side, and reads later than a silent one is waited for,
// gets all: its kernel says that it is there.
func TestReadLate(t *testing.T) {
	t.Parallel() // it waits for lingering
	_, g := newNetwork(t, Options{HostLoopback: true}, streamFrames)
	g.receiveLittle()
	server := listenTCP(t)
	var turns []turn
	for i := range 50 { // of which some do not fit the guest's window, but have been sent
		reader := g.mustDial("tcp", atHost(server.Addr().String())).(halfConn)
		turns = append(turns, turn{reader, accept(t, server), (20 + i) << 10})
	}
	begin(t, turns)
	time.Sleep(lingering + time.Second)
	if err := readAll(turns); err != nil {
		t.Error(err)
	}
}

// receiveLittle has the guest's connections take 64 KiB each that nobody reads.
func (g *fakeGuest) receiveLittle() {
	g.t.Helper()
	little := tcpip.TCPReceiveBufferSizeRangeOption{Min: 4 << 10, Default: 64 << 10, Max: 64 << 10}
	if err := g.stack.SetTransportProtocolOption(tcp.ProtocolNumber, &little); err != nil {
		g.t.Fatal(err)
	}
}

func accept(t *testing.T, l net.Listener) halfConn {
	t.Helper()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(halfConn)
}
