package usernet

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"banger/internal/usernet/peers"
	"banger/internal/usernet/policy"
)

// town is a network in this process.
type town struct {
	dir string

	mu      sync.Mutex
	members map[string]*peers.Member
}

func newTown(t *testing.T) *town {
	t.Helper()
	return &town{dir: t.TempDir(), members: map[string]*peers.Member{}}
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

func (t *town) ByName(name string) (m peers.Member, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if found := t.members[name]; found != nil {
		return *found, true
	}
	return m, false
}

func (t *town) ByAddress(a netip.Addr) (peers.Member, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range t.members {
		if m.Address == a {
			return *m, true
		}
	}
	return peers.Member{}, false
}

func (t *town) IsSupervisor(pid int, _ string) bool { return pid == os.Getpid() }

// stop has a member be there and not run.
func (t *town) stop(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.members[name].Up = false
}

// neighbour is a guest with its network.
type neighbour struct {
	*fakeGuest
	network *Network
	at      netip.Addr
}

func (t *town) move(tt *testing.T, name, address string, o Options) *neighbour {
	tt.Helper()
	p := netip.MustParsePrefix(address)
	t.mu.Lock()
	t.members[name] = &peers.Member{Name: name, Address: p.Addr(), Up: true}
	t.mu.Unlock()
	o.Name, o.MAC = name, net.HardwareAddr(guestMAC)
	o.Networks = []Place{{Network: "town", Address: p, Directory: resident{t, name}}}
	n, g := newNetwork(tt, o, packetFrames)
	own := tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4(p.Addr().As4()), PrefixLen: p.Bits()}
	if err := g.stack.AddProtocolAddress(nicID, tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: own}, stack.AddressProperties{}); err != nil {
		tt.Fatal(err)
	}
	g.stack.SetRouteTable(append([]tcpip.Route{{Destination: own.Subnet(), NIC: nicID}}, g.stack.GetRouteTable()...))
	return &neighbour{g, n, p.Addr()}
}

func (n *neighbour) connect(to netip.Addr, port uint16) (net.Conn, error) {
	return gonet.DialTCPWithBind(n.t.Context(), n.stack, fullAddress(n.at, 0), fullAddress(to, port), ipv4.ProtocolNumber)
}

// echoes serves connections and datagrams, which it sends back, and tells who
// came.
func (n *neighbour) echoes(port uint16) chan string {
	n.t.Helper()
	came := make(chan string, 100)
	l, err := gonet.ListenTCP(n.stack, fullAddress(n.at, port), ipv4.ProtocolNumber)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			came <- conn.RemoteAddr().(*net.TCPAddr).IP.String()
			go func() {
				io.Copy(conn, conn)
				conn.Close()
			}()
		}
	}()
	at := fullAddress(n.at, port)
	packets, err := gonet.DialUDP(n.stack, &at, nil, ipv4.ProtocolNumber)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { packets.Close() })
	go func() {
		buf := make([]byte, 1<<16)
		for {
			size, from, err := packets.ReadFrom(buf)
			if err != nil {
				return
			}
			packets.WriteTo(buf[:size], from)
		}
	}()
	return came
}

func (n *neighbour) lookup(name string) (string, error) {
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return n.dial(ctx, "udp", gateway.String()+":53")
	}}
	addresses, err := resolver.LookupHost(n.t.Context(), name+".")
	return strings.Join(addresses, " "), err
}

func TestPeers(t *testing.T) {
	town := newTown(t)
	a := town.move(t, "a", "10.1.0.2/24", Options{})
	b := town.move(t, "b", "10.1.0.3/24", Options{})
	_, stranger := newNetwork(t, Options{Policy: rules(t, policy.Settings{Egress: policy.Public})}, packetFrames)
	came := b.echoes(80)

	conn, err := a.connect(b.at, 80)
	if err != nil {
		t.Fatal(err)
	}
	if from := <-came; from != a.at.String() {
		t.Errorf("the connection comes from %s", from)
	}
	sent := make([]byte, 3<<20)
	rand.Read(sent)
	go func() {
		conn.Write(sent)
		conn.(*gonet.TCPConn).CloseWrite()
	}()
	if got, err := io.ReadAll(conn); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	local, remote := fullAddress(a.at, 0), fullAddress(b.at, 80)
	datagrams, err := gonet.DialUDP(a.stack, &local, &remote, ipv4.ProtocolNumber)
	if err != nil {
		t.Fatal(err)
	}
	defer datagrams.Close()
	for _, size := range []int{1, 1000, 65507} { // the last in fragments
		datagrams.Write(sent[:size])
		buf := make([]byte, 1<<16)
		if n, err := datagrams.Read(buf); err != nil || !bytes.Equal(buf[:n], sent[:size]) {
			t.Errorf("of a datagram of %d bytes came %d back, %v", size, n, err)
		}
	}
	if _, err := a.connect(b.at, 81); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("a port that nobody listens on: %v", err)
	}
	if _, err := a.connect(netip.MustParseAddr("10.1.0.77"), 80); err == nil || !strings.Contains(err.Error(), "no route") && !strings.Contains(err.Error(), "unreachable") {
		t.Errorf("an address of nobody's: %v", err)
	}
	if conn, err := stranger.dial(t.Context(), "tcp", b.at.String()+":80"); err == nil {
		conn.Close()
		t.Error("who is not on the network reaches it")
	}

	for name, want := range map[string]string{"b": "10.1.0.3", "B.banger.internal": "10.1.0.3", "a": "10.1.0.2", "c.banger.internal": "", "banger.internal": ""} {
		if got, err := a.lookup(name); got != want || (want == "") != (err != nil) {
			t.Errorf("%s is %q, %v", name, got, err)
		}
	}
	town.stop("b")
	b.network.Close()
	if got, err := a.lookup("b"); err == nil {
		t.Errorf("one that has ended is %s", got)
	}
	if _, err := a.connect(b.at, 80); err == nil {
		t.Error("one that has ended is reached")
	}
}

// A guest's rules hold for what it begins, and not for its answers.
func TestPeersByPolicy(t *testing.T) {
	town := newTown(t)
	log := new(traffic)
	a := town.move(t, "a", "10.1.0.2/24", Options{
		Traffic: log, Policy: rules(t, policy.Settings{Egress: policy.None, Deny: []string{"b.banger.internal:81", "c", "10.1.0.5"}}),
	})
	b := town.move(t, "b", "10.1.0.3/24", Options{})
	c := town.move(t, "c", "10.1.0.4/24", Options{})
	d := town.move(t, "d", "10.1.0.5/24", Options{})
	a.echoes(80)
	for _, n := range []*neighbour{b, c, d} {
		n.echoes(80)
		n.echoes(81)
		conn, err := n.connect(a.at, 80)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 1)
		conn.Write([]byte("x"))
		if _, err := io.ReadFull(conn, buf); err != nil {
			t.Error(err)
		}
		conn.Close()
		for port, open := range map[uint16]bool{80: n == b, 81: false} {
			if conn, err := a.connect(n.at, port); (err == nil) != open {
				t.Errorf("%s:%d: %v", n.at, port, err)
			} else if err == nil {
				conn.Close()
			}
		}
	}
	if _, err := a.lookup("c"); err == nil {
		t.Error("a name that is denied is resolved")
	}
	for _, line := range []string{
		`allowed tcp 10.1.0.3:80 ["b.banger.internal" "b"] by allow network town`, `denied tcp 10.1.0.3:81 ["b.banger.internal" "b"] by deny b.banger.internal:81`,
		`denied tcp 10.1.0.4:80 ["c.banger.internal" "c"] by deny c`, `denied tcp 10.1.0.5:81 ["d.banger.internal" "d"] by deny 10.1.0.5`, `denied name "c" by deny c`,
	} {
		if !strings.Contains(log.String(), line) {
			t.Errorf("the log lacks %q:\n%s", line, log)
		}
	}
}

// awaitGuest returns how frames are sent once a guest is there.
func (l *link) awaitGuest() (send func([][]byte) error) {
	for send == nil {
		runtime.Gosched()
		l.mu.Lock()
		send = l.send
		l.mu.Unlock()
	}
	return send
}

// Root in a guest sends what it likes: its peers see its own address only.
func TestPeersFromRoot(t *testing.T) {
	town := newTown(t)
	a := town.move(t, "a", "10.1.0.2/24", Options{Policy: rules(t, policy.Settings{Deny: []string{"b:81", "c"}})})
	b := town.move(t, "b", "10.1.0.3/24", Options{})
	c := town.move(t, "c", "10.1.0.4/24", Options{})
	came := make(chan header.IPv4, 100)
	for _, n := range []*neighbour{b, c} {
		send := n.network.link.awaitGuest()
		n.network.link.connect(func(frame [][]byte) error {
			all := bytes.Join(frame, nil)
			if header.Ethernet(all).Type() == header.IPv4ProtocolNumber {
				came <- header.IPv4(all[header.EthernetMinimumSize:])
			}
			return send(frame)
		})
	}
	attack := func(from, to netip.Addr, change func(header.IPv4)) {
		packet := header.IPv4(make([]byte, header.IPv4MinimumSize+100))
		packet.Encode(&header.IPv4Fields{
			TotalLength: uint16(len(packet)), TTL: 64, Protocol: uint8(header.UDPProtocolNumber), ID: 7,
			SrcAddr: tcpip.AddrFrom4(from.As4()), DstAddr: tcpip.AddrFrom4(to.As4()),
		})
		header.UDP(packet.Payload()).Encode(&header.UDPFields{SrcPort: 1, DstPort: 81, Length: 100})
		change(packet)
		packet.SetChecksum(0)
		packet.SetChecksum(^packet.CalculateChecksum())
		a.network.link.receive(frameView(frameOf(header.IPv4ProtocolNumber, packet)))
	}
	whole := func(header.IPv4) {}
	port80 := func(p header.IPv4) { header.UDP(p.Payload()).SetDestinationPort(80) }
	attack(guest, b.at, port80)                             // from its other address
	attack(c.at, b.at, port80)                              // from another's
	attack(b.at, b.at, port80)                              // from the victim's
	attack(netip.MustParseAddr("8.8.8.8"), b.at, port80)    // from anybody's
	attack(a.at, netip.MustParseAddr("10.1.0.255"), port80) // to all
	attack(a.at, netip.MustParseAddr("224.0.0.1"), port80)
	attack(a.at, b.at, whole) // to what is denied
	attack(a.at, c.at, port80)
	attack(a.at, b.at, func(p header.IPv4) { p.SetFlagsFragmentOffset(header.IPv4FlagMoreFragments, 0) }) // in parts
	attack(a.at, b.at, func(p header.IPv4) { p.SetFlagsFragmentOffset(0, 8) })                            // the rest of which was not let through
	attack(a.at, b.at, func(p header.IPv4) { p[9] = 132 })                                                // another protocol
	attack(a.at, b.at, func(p header.IPv4) {
		p[9] = uint8(header.ICMPv4ProtocolNumber)
		header.ICMPv4(p.Payload()).SetType(header.ICMPv4Redirect)
	})
	attack(a.at, b.at, func(p header.IPv4) { // an answer to what was never asked, of one that is denied
		p[9] = uint8(header.TCPProtocolNumber)
		header.TCP(p.Payload()).Encode(&header.TCPFields{SrcPort: 80, DstPort: 81, DataOffset: 20, Flags: header.TCPFlagAck})
	})
	attack(a.at, b.at, port80) // which may come
	got := <-came
	if got.SourceAddress() != tcpip.AddrFrom4(a.at.As4()) || header.UDP(got.Payload()).DestinationPort() != 80 {
		t.Errorf("there came %x", got)
	}
}

// What is isolated reaches its peers and nothing else.
func TestIsolated(t *testing.T) {
	town := newTown(t)
	log := new(traffic)
	o := Options{Isolated: "internal network town", Traffic: log, Policy: rules(t, policy.Settings{Egress: policy.All, Allow: []string{"0.0.0.0/0"}})}
	a := town.move(t, "a", "10.1.0.2/24", o)
	b := town.move(t, "b", "10.1.0.3/24", Options{})
	b.echoes(80)
	conn, err := a.connect(b.at, 80)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if conn, err := a.dial(t.Context(), "tcp", "198.51.100.1:80"); err == nil {
		conn.Close()
		t.Error("the outside is reached")
	}
	if _, err := a.lookup("example.com"); err == nil {
		t.Error("a name of the outside is resolved")
	}
	for _, line := range []string{`denied tcp 198.51.100.1:80 [] by internal network town`, `denied name "example.com" by internal network town`} {
		if !strings.Contains(log.String(), line) {
			t.Errorf("the log lacks %q:\n%s", line, log)
		}
	}
}
