package usernet

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"banger/internal/usernet/policy"
)

// traffic is a log that can be read while it is written.
type traffic struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *traffic) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *traffic) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func rules(t *testing.T, s policy.Settings) policy.Policy {
	t.Helper()
	p, err := policy.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What is denied is refused at once, and logged with the rule.
func TestDenied(t *testing.T) {
	log := new(traffic)
	n, g := newNetwork(t, Options{Policy: rules(t, policy.Settings{Deny: []string{"192.0.2.0/24"}}), Traffic: log}, streamFrames)
	if conn, err := g.dial(t.Context(), "tcp", "192.0.2.7:80"); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v, %v", conn, err)
	}
	if !strings.Contains(log.String(), `denied tcp 192.0.2.7:80 [] by deny 192.0.2.0/24`) {
		t.Errorf("the log has %q", log)
	}
	conn := g.mustDial("udp", "192.0.2.7:53")
	conn.Write([]byte("x"))
	<-g.icmp
	if !strings.Contains(log.String(), `denied udp 192.0.2.7:53 [] by deny`) {
		t.Errorf("the log has %q", log)
	}
	if n.admit(ping("192.0.2.7", []byte{byte(header.ICMPv4Echo), 0, 0, 0, 0, 1, 0, 1})) {
		t.Error("the stack would answer a ping")
	}
	if got := <-g.icmp; got.Type() != header.ICMPv4DstUnreachable || got.Code() != header.ICMPv4AdminProhibited {
		t.Errorf("to its ping the guest hears %x", []byte(got))
	}
	n.SetPolicy(rules(t, policy.Settings{Egress: policy.None}))
	if _, ok := n.allowed("tcp", netip.MustParseAddrPort("198.51.100.1:1")); ok {
		t.Error("the change of the policy has no effect")
	}
}

// The host's own address is closed although it is of no loopback.
func TestOwnAddressesAreClosed(t *testing.T) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	tried := false
	for _, a := range addresses {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || !p.Addr().Is4() || p.Addr().IsLoopback() || p.Addr().IsLinkLocalUnicast() {
			continue
		}
		tried = true
		if _, ok := new(Network).outside(p.Addr()); ok {
			t.Errorf("the guest reaches the host at %s", p.Addr())
		}
		if _, ok := (&Network{options: Options{HostLoopback: true}}).outside(p.Addr()); !ok {
			t.Errorf("with the host's loopback, %s is closed", p.Addr())
		}
	}
	if !tried {
		t.Skip("needs an address beside the loopback's")
	}
}

// A name opens the addresses that the guest was told it has, while it has them.
func TestNamesOpenTheirAddresses(t *testing.T) {
	log := new(traffic)
	n := &Network{options: Options{Traffic: log}, servers: func() []string { return []string{"ok:53"} }, ctx: t.Context()}
	n.SetPolicy(rules(t, policy.Settings{Allow: []string{"a.test"}}))
	at := netip.MustParseAddrPort("198.51.100.7:443")
	answers := func(_ context.Context, _ string, q []byte) ([]byte, error) {
		return withRecord(q, at.Addr().AsSlice()), nil
	}
	if _, ok := n.allowed("tcp", at); ok {
		t.Error("the address is open before it was asked for")
	}
	if reply := n.resolve(query("b.test", typeA), answers); reply[3]&rcodeMask != nameError {
		t.Errorf("the answer for a denied name is %x", reply)
	}
	n.resolve(query("A.test", typeA), answers)
	if _, ok := n.allowed("tcp", at); !ok {
		t.Errorf("the address is closed: %s", log)
	}
	for _, text := range []string{`denied name "b.test" by egress none`, `denied tcp 198.51.100.7:443 [] by egress none`} {
		if !strings.Contains(log.String(), text) {
			t.Errorf("the log has %q, not %q", log, text)
		}
	}
}

func TestKnownNames(t *testing.T) {
	var k knownNames
	a := netip.MustParseAddr("198.51.100.7")
	now := time.Now()
	k.learn("past.test", withRecord(query("past.test", typeA), a.AsSlice()), minNameLife, now.Add(-2*time.Minute))
	k.learn("b.test", withRecord(query("b.test", typeA), a.AsSlice()), minNameLife, now)
	k.learn("a.test", withRecord(query("a.test", typeA), a.AsSlice()), minNameLife, now)
	k.learn("text.test", withRecord(query("text.test", 16), a.AsSlice()), minNameLife, now)
	k.learn("short.test", withRecord(query("short.test", typeA), []byte{1, 2}), minNameLife, now)
	k.learn("nothing.test", nil, minNameLife, now)
	if got := strings.Join(k.of(a), " "); got != "a.test b.test" {
		t.Errorf("got %q", got)
	}
	for i := range 3 * maxKnown {
		k.add(knownName{netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), string(rune('a' + i%26))}, now.Add(time.Hour), now)
	}
	if len(k.until) > maxKnown {
		t.Errorf("%d names are kept", len(k.until))
	}
}
