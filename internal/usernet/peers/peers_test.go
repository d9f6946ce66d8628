package peers

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

const most = 65520

var (
	alpha = netip.MustParseAddr("10.1.0.2")
	beta  = netip.MustParseAddr("10.1.0.3")
	gamma = netip.MustParseAddr("10.1.0.4")
)

// town is a network whose members all run in this process.
type town struct {
	dir string

	mu      sync.Mutex
	members map[string]netip.Addr
	strange map[string]bool // whose supervisor is another process
}

func newTown(t *testing.T) *town {
	t.Helper()
	return &town{dir: t.TempDir(), members: map[string]netip.Addr{"alpha": alpha, "beta": beta, "gamma": gamma}, strange: map[string]bool{}}
}

type resident struct {
	*town
	name string
}

func (r resident) Listen() (net.Listener, error) {
	return net.Listen("unixpacket", filepath.Join(r.dir, r.name))
}

func (t *town) Dial(ctx context.Context, name string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unixpacket", filepath.Join(t.dir, name))
}

func (t *town) ByName(name string) (Member, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a, ok := t.members[name]
	return Member{name, a, ok}, ok
}

func (t *town) ByAddress(a netip.Addr) (Member, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, address := range t.members {
		if address == a {
			return Member{name, a, true}, true
		}
	}
	return Member{}, false
}

func (t *town) IsSupervisor(pid int, name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return pid == os.Getpid() && !t.strange[name]
}

// delivery is a packet that came, or that nobody was there for.
type delivery struct {
	from   netip.Addr
	packet []byte
}

type resort struct {
	*Port
	came, absent chan delivery
}

func (t *town) join(tb testing.TB, name string, address netip.Addr) *resort {
	tb.Helper()
	r := &resort{came: make(chan delivery, 100), absent: make(chan delivery, 100)}
	port, err := Join(Options{
		Name: name, Address: address, MaxPacket: most, Directory: resident{t, name},
		Deliver: func(from netip.Addr, packet []byte) { r.came <- delivery{from, bytes.Clone(packet)} },
		Absent:  func(packet []byte) { r.absent <- delivery{packet: bytes.Clone(packet)} },
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(port.Close)
	r.Port = port
	return r
}

// packetOf is a UDP datagram, whole.
func packetOf(from, to netip.Addr, payload string) []byte {
	packet := make([]byte, header.IPv4MinimumSize+header.UDPMinimumSize+len(payload))
	ip := header.IPv4(packet)
	ip.Encode(&header.IPv4Fields{
		TotalLength: uint16(len(packet)), TTL: 64, Protocol: uint8(header.UDPProtocolNumber),
		SrcAddr: tcpip.AddrFrom4(from.As4()), DstAddr: tcpip.AddrFrom4(to.As4()),
	})
	header.UDP(ip.Payload()).Encode(&header.UDPFields{SrcPort: 1, DstPort: 2, Length: uint16(header.UDPMinimumSize + len(payload))})
	copy(ip.Payload()[header.UDPMinimumSize:], payload)
	return packet
}

func await(t *testing.T, c chan delivery) delivery {
	t.Helper()
	select {
	case d := <-c:
		return d
	case <-time.After(time.Minute):
		t.Fatal("nothing came")
		return delivery{}
	}
}

func TestSend(t *testing.T) {
	town := newTown(t)
	a, b := town.join(t, "alpha", alpha), town.join(t, "beta", beta)
	for _, payload := range []string{"x", string(bytes.Repeat([]byte("y"), most-header.IPv4MinimumSize-header.UDPMinimumSize))} {
		sent := packetOf(alpha, beta, payload)
		a.Send(beta, sent)
		if got := await(t, b.came); got.from != alpha || !bytes.Equal(got.packet, sent) {
			t.Errorf("there came %d bytes from %s", len(got.packet), got.from)
		}
	}
	b.Send(alpha, packetOf(beta, alpha, "back"))
	await(t, a.came)
	a.Send(gamma, packetOf(alpha, gamma, "nobody"))
	await(t, a.absent)
	// What ends is found out, and what comes again is found again.
	b.Close()
	for absent := false; !absent; {
		a.Send(beta, packetOf(alpha, beta, "gone"))
		select {
		case <-a.absent:
			absent = true
		case <-time.After(10 * time.Millisecond):
		}
	}
	b = town.join(t, "beta", beta)
	for came := false; !came; {
		a.Send(beta, packetOf(alpha, beta, "again"))
		select {
		case <-b.came:
			came = true
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// dialAs connects as a member that says this first.
func (t *town) dialAs(tb testing.TB, first string) net.Conn {
	tb.Helper()
	conn, err := t.Dial(tb.Context(), "beta")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	if _, err := conn.Write([]byte(first)); err != nil {
		tb.Fatal(err)
	}
	return conn
}

// What another process says that it is, or a peer that it is another, comes to
// nothing.
func TestImpostors(t *testing.T) {
	town := newTown(t)
	town.strange["gamma"] = true
	b := town.join(t, "beta", beta)
	for _, first := range []string{
		`{"vm":"gamma"}`, `{"vm":"nobody"}`, `{"vm":"../alpha"}`, `{}`, `x`, `[`, string(packetOf(gamma, beta, "hello")),
		string(bytes.Repeat([]byte("x"), 5000)),
	} {
		conn := town.dialAs(t, first)
		conn.Write(packetOf(gamma, beta, "lie"))
		conn.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("one who says %.30q is let in: %v", first, err)
		}
	}
	conn := town.dialAs(t, `{"vm":"alpha"}`)
	truncated := packetOf(alpha, beta, "short")
	wrongLength := packetOf(alpha, beta, "long")
	header.IPv4(wrongLength).SetTotalLength(21)
	other := packetOf(alpha, beta, "other protocol")
	other[9] = 47
	options := packetOf(alpha, beta, "options")
	options[0] = 0x46
	for _, packet := range [][]byte{
		packetOf(gamma, beta, "another's"), packetOf(beta, beta, "its own"), packetOf(alpha, gamma, "to another"),
		truncated[:19], truncated[:len(truncated)-1], wrongLength, other, options, {0}, bytes.Repeat([]byte{0x45}, 65000),
		packetOf(alpha, beta, string(make([]byte, 65501))), packetOf(alpha, beta, "right"),
	} {
		if _, err := conn.Write(packet); err != nil {
			t.Fatal(err)
		}
	}
	if got := await(t, b.came); !bytes.HasSuffix(got.packet, []byte("right")) {
		t.Errorf("there came %q", got.packet)
	}
	// A second connection of a peer takes the first one's place.
	town.dialAs(t, `{"vm":"alpha"}`).Write(packetOf(alpha, beta, "second"))
	await(t, b.came)
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the first stays: %v", err)
	}
}

// What is dialled has to be the peer's supervisor, too.
func TestImpostorListens(t *testing.T) {
	town := newTown(t)
	town.strange["beta"] = true
	town.join(t, "beta", beta)
	a := town.join(t, "alpha", alpha)
	a.Send(beta, packetOf(alpha, beta, "secret"))
	await(t, a.absent)
}

// Who says nothing is not waited for by others, and does not fill the place.
func TestSilent(t *testing.T) {
	town := newTown(t)
	b := town.join(t, "beta", beta)
	for range 3 * maxMeeting {
		conn, err := town.Dial(t.Context(), "beta")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	town.dialAs(t, `{"vm":"alpha"}`).Write(packetOf(alpha, beta, "heard"))
	await(t, b.came)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.meeting) > maxMeeting {
		t.Errorf("%d are waited for", len(b.meeting))
	}
}

// A peer that does not read holds nobody up, and what waits for it is bounded.
func TestPeerThatDoesNotRead(t *testing.T) {
	town := newTown(t)
	listener, err := resident{town, "beta"}.Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	a := town.join(t, "alpha", alpha)
	packet := packetOf(alpha, beta, string(make([]byte, 60000)))
	for range 1000 {
		a.Send(beta, packet)
		if waiting := a.waiting.Load(); waiting > maxWaiting {
			t.Fatalf("%d bytes wait", waiting)
		}
	}
	small := packetOf(alpha, beta, "")
	for range 3 * maxQueue {
		a.Send(beta, small)
	}
	a.Close()
	if left := a.waiting.Load(); left != 0 {
		t.Errorf("%d bytes are counted for ever", left)
	}
}

func FuzzBelongs(f *testing.F) {
	f.Add(packetOf(alpha, beta, "payload"))
	f.Add([]byte{0x45})
	f.Fuzz(func(t *testing.T, data []byte) {
		if !Belongs(data, alpha, beta, most) {
			return
		}
		packet := header.IPv4(data)
		if !packet.IsValid(len(data)) || len(data) > most {
			t.Errorf("%x is no packet", data)
		}
		if packet.SourceAddress() != tcpip.AddrFrom4(alpha.As4()) || packet.DestinationAddress() != tcpip.AddrFrom4(beta.As4()) {
			t.Errorf("%x is another's", data)
		}
	})
}

func FuzzHello(f *testing.F) {
	f.Add([]byte(`{"vm":"a"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if name, err := parseHello(line); (err == nil) == (name == "") {
			t.Errorf("parseHello(%q) = %q, %v", line, name, err)
		}
	})
}
