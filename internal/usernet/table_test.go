package usernet

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"banger/internal/usernet/policy"
)

// TestPolicyTable holds what a guest does against what becomes of it and the line
// that the log has then. What it does are words, of which the last is judged:
//
//	NAME=A,B     it looks up a name, which has these addresses; NAME=>OTHER=A by way of another
//	tcp:A:P      it connects; udp, icmp alike
//	tls:A:P/NAME it connects, and its TLS names a host; plain:A:P, without TLS
//	change:RULES the policy is another from then on
func TestPolicyTable(t *testing.T) {
	for _, tt := range []struct{ rules, does, outcome, line string }{
		// Nothing said.
		{"", "tcp:1.1.1.1:80", "allowed", `tcp 1.1.1.1:80 [] by egress all`},
		{"", "tcp:10.0.0.1:22", "allowed", `tcp 10.0.0.1:22 [] by egress all`},
		{"", "udp:1.1.1.1:443", "allowed", `udp 1.1.1.1:443 [] by egress all`},
		{"", "icmp:1.1.1.1", "allowed", `icmp 1.1.1.1:0 [] by egress all`},
		{"", "a.test=1.1.1.1", "allowed", `name "a.test" by egress all`},
		{"", "tls:1.1.1.1:443/any.test", "allowed", `tcp 1.1.1.1:443 [] by egress all`},
		// The host and what belongs to it, which no rule opens.
		{"", "tcp:127.0.0.1:80", "denied", `tcp 127.0.0.1:80 [] by ` + policy.RuleOfHost},
		{"all +127.0.0.1", "tcp:127.0.0.1:80", "denied", `tcp 127.0.0.1:80 [] by ` + policy.RuleOfHost},
		{"all +0.0.0.0/0", "tcp:0.0.0.0:80", "denied", `tcp 0.0.0.0:80 [] by ` + policy.RuleOfHost},
		{"all +169.254.169.254", "tcp:169.254.169.254:80", "denied", `tcp 169.254.169.254:80 [] by ` + policy.RuleOfHost},
		{"all +a.test", "a.test=127.0.0.1 tcp:127.0.0.1:80", "denied", `tcp 127.0.0.1:80 [] by ` + policy.RuleOfHost},
		{"all +a.test", "a.test=169.254.169.254 udp:169.254.169.254:80", "denied", `udp 169.254.169.254:80 [] by ` + policy.RuleOfHost},
		{"", "icmp:127.0.0.1", "denied", `icmp 127.0.0.1:0 [] by ` + policy.RuleOfHost},
		// Ranges.
		{"none", "tcp:1.1.1.1:80", "denied", `tcp 1.1.1.1:80 [] by egress none`},
		{"none", "udp:1.1.1.1:53", "denied", `udp 1.1.1.1:53 [] by egress none`},
		{"none", "icmp:1.1.1.1", "denied", `icmp 1.1.1.1:0 [] by egress none`},
		{"none", "a.test=1.1.1.1", "denied", `name "a.test" by egress none`},
		{"public", "tcp:10.1.2.3:80", "denied", `tcp 10.1.2.3:80 [] by egress public`},
		{"public", "tcp:100.64.0.1:80", "denied", `tcp 100.64.0.1:80 [] by egress public`},
		{"public", "udp:239.1.2.3:5353", "denied", `udp 239.1.2.3:5353 [] by ` + policy.RuleOfHost},
		{"public", "udp:255.255.255.255:67", "denied", `udp 255.255.255.255:67 [] by `},
		{"public", "icmp:192.168.1.1", "denied", `icmp 192.168.1.1:0 [] by egress public`},
		{"public", "tcp:1.1.1.1:80", "allowed", `tcp 1.1.1.1:80 [] by egress public`},
		{"public +10.0.0.0/8:5432", "tcp:10.1.2.3:5432", "allowed", `tcp 10.1.2.3:5432 [] by allow 10.0.0.0/8:5432`},
		{"public +10.0.0.0/8:5432", "icmp:10.1.2.3", "denied", `icmp 10.1.2.3:0 [] by egress public`},
		{"+1.1.1.0/24 -1.1.1.1", "tcp:1.1.1.1:80", "denied", `tcp 1.1.1.1:80 [] by deny 1.1.1.1`},
		{"-0.0.0.0/0:25", "tcp:1.1.1.1:25", "denied", `tcp 1.1.1.1:25 [] by deny 0.0.0.0/0:25`},
		{"-::ffff:1.1.1.1", "tcp:1.1.1.1:80", "denied", `tcp 1.1.1.1:80 [] by deny ::ffff:1.1.1.1`},
		{"+::ffff:1.1.1.1", "tcp:1.1.1.1:80", "allowed", `tcp 1.1.1.1:80 [] by allow ::ffff:1.1.1.1`},
		// Names and their addresses.
		{"+a.test", "tcp:1.1.1.1:443", "denied", `tcp 1.1.1.1:443 [] by egress none`},
		{"+a.test", "a.test=1.1.1.1 tcp:1.1.1.1:443", "allowed", `tcp 1.1.1.1:443 ["a.test"] by allow a.test`},
		{"+a.test", "A.tEsT=1.1.1.1 tcp:1.1.1.1:443", "allowed", `tcp 1.1.1.1:443 ["a.test"] by allow a.test`},
		{"+A.Test.", "a.test=1.1.1.1 udp:1.1.1.1:123", "allowed", `udp 1.1.1.1:123 ["a.test"] by allow A.Test.`},
		{"+a.test", "a.test=1.1.1.1 icmp:1.1.1.1", "allowed", `icmp 1.1.1.1:0 ["a.test"] by allow a.test`},
		{"+a.test", "a.test=1.1.1.1,1.1.1.2 tcp:1.1.1.2:80", "allowed", `tcp 1.1.1.2:80 ["a.test"] by allow a.test`},
		{"+a.test:443", "a.test=1.1.1.1 tcp:1.1.1.1:80", "denied", `tcp 1.1.1.1:80 ["a.test"] by egress none`},
		{"+a.test", "b.test=1.1.1.1", "denied", `name "b.test" by egress none`},
		{"+a.test", "xa.test=1.1.1.1", "denied", `name "xa.test" by egress none`},
		{"+a.test", "a.test.evil.org=1.1.1.1", "denied", `name "a.test.evil.org" by egress none`},
		{"+k.test", "\u212a.test=1.1.1.1", "denied", `by egress none`},
		{"+k.test", "k.test=1.1.1.1 tls:1.1.1.1:443/\u212a.test", "denied", `by egress none: TLS for "K.test"`},
		{"+*.a.test", `x.y\046a.test=1.1.1.1`, "denied", `name "x.y\\046a.test" by egress none`},
		{"+*.a.test", "a.test=1.1.1.1", "denied", `name "a.test" by egress none`},
		{"+*.a.test", "x.y.a.test=1.1.1.1 tcp:1.1.1.1:80", "allowed", `tcp 1.1.1.1:80 ["x.y.a.test"] by allow *.a.test`},
		{"+*.test", "anything.test=1.1.1.1 tcp:1.1.1.1:80", "allowed", `by allow *.test`},
		{"+xn--bcher-kva.test", "xn--bcher-kva.test=1.1.1.1 tcp:1.1.1.1:80", "allowed", `["xn--bcher-kva.test"] by allow xn--bcher-kva.test`},
		{"-evil.test", "evil.test=1.1.1.1", "denied", `name "evil.test" by deny evil.test`},
		{"-*.evil.test", "a.evil.test=1.1.1.1", "denied", `name "a.evil.test" by deny *.evil.test`},
		{"-evil.test:25", "evil.test=1.1.1.1 tcp:1.1.1.1:25", "denied", `tcp 1.1.1.1:25 ["evil.test"] by deny evil.test:25`},
		// An alias is what was asked for, and not what it leads to.
		{"+a.test", "a.test=>cdn.example=1.1.1.1 tcp:1.1.1.1:443", "allowed", `tcp 1.1.1.1:443 ["a.test"] by allow a.test`},
		{"+a.test", "a.test=>cdn.example=1.1.1.1 tls:1.1.1.1:443/cdn.example", "denied", `tcp 1.1.1.1:443 ["a.test"] by egress none: TLS for "cdn.example"`},
		{"+cdn.example", "a.test=>cdn.example=1.1.1.1", "denied", `name "a.test" by egress none`},
		{"-cdn.example", "a.test=>cdn.example=1.1.1.1 tls:1.1.1.1:443/cdn.example", "denied", `by deny cdn.example: TLS for "cdn.example"`},
		// A name that leads to what is closed: rebinding.
		{"+a.test", "a.test=10.0.0.1 tcp:10.0.0.1:80", "denied", `tcp 10.0.0.1:80 ["a.test"] by egress none`},
		{"public +a.test", "a.test=192.168.0.1 tcp:192.168.0.1:80", "denied", `tcp 192.168.0.1:80 ["a.test"] by egress public`},
		{"public +a.test", "a.test=1.1.1.1 a.test=10.0.0.1 tcp:10.0.0.1:80", "denied", `by egress public`},
		{"public +a.test", "a.test=10.0.0.1 udp:10.0.0.1:53", "denied", `by egress public`},
		{"all +a.test -10.0.0.0/8", "a.test=10.0.0.1 tcp:10.0.0.1:80", "allowed", `by allow a.test`},
		// Another resolver's answer opens nothing; it may be asked where its address is open.
		{"+a.test", "udp:8.8.8.8:53", "denied", `udp 8.8.8.8:53 [] by egress none`},
		{"+a.test", "tcp:8.8.8.8:853", "denied", `tcp 8.8.8.8:853 [] by egress none`},
		{"+a.test", "a.test=1.1.1.1 tcp:6.6.6.6:443", "denied", `tcp 6.6.6.6:443 [] by egress none`},
		{"+a.test +8.8.8.8", "udp:8.8.8.8:53", "allowed", `udp 8.8.8.8:53 [] by allow 8.8.8.8`},
		// Several hosts at one address.
		{"+a.test", "a.test=1.1.1.1 tls:1.1.1.1:443/a.test", "allowed", `tcp 1.1.1.1:443 ["a.test"] by allow a.test`},
		{"+a.test", "a.test=1.1.1.1 tls:1.1.1.1:443/A.TEST", "allowed", `by allow a.test`},
		{"+a.test", "a.test=1.1.1.1 tls:1.1.1.1:443/b.test", "denied", `tcp 1.1.1.1:443 ["a.test"] by egress none: TLS for "b.test"`},
		{"+a.test", "a.test=1.1.1.1 tls:1.1.1.1:8443/b.test", "denied", `tcp 1.1.1.1:8443 ["a.test"] by egress none: TLS for "b.test"`},
		{"+a.test", "a.test=1.1.1.1 tls:1.1.1.1:443/", "denied", `tcp 1.1.1.1:443 ["a.test"] by egress none: TLS for no name`},
		{"+a.test", "a.test=1.1.1.1 plain:1.1.1.1:80", "allowed", `tcp 1.1.1.1:80 ["a.test"] by allow a.test`},
		{"+a.test", "a.test=1.1.1.1 udp:1.1.1.1:443", "denied", `udp 1.1.1.1:443 ["a.test"] by egress none`},
		{"-b.test", "tls:1.1.1.1:443/b.test", "denied", `tcp 1.1.1.1:443 [] by deny b.test: TLS for "b.test"`},
		{"-b.test", "tls:1.1.1.1:443/c.test", "allowed", `by egress all`},
		{"+a.test +b.test", "a.test=1.1.1.1 b.test=1.1.1.1 tls:1.1.1.1:443/b.test", "allowed", `tcp 1.1.1.1:443 ["a.test" "b.test"] by allow`},
		{"+1.1.1.1 +a.test", "tls:1.1.1.1:443/other.test", "allowed", `by allow 1.1.1.1`},
		// A redirect is a connection of its own.
		{"+a.test", "a.test=1.1.1.1 tls:1.1.1.1:443/a.test evil.org=6.6.6.6", "denied", `name "evil.org" by egress none`},
		{"+a.test", "a.test=1.1.1.1 tls:1.1.1.1:443/a.test tcp:6.6.6.6:443", "denied", `tcp 6.6.6.6:443 [] by egress none`},
		// A change is for what comes then, and what is known of names stays.
		{"+a.test", "a.test=1.1.1.1 change:none tcp:1.1.1.1:443", "denied", `tcp 1.1.1.1:443 ["a.test"] by egress none`},
		{"+a.test", "a.test=1.1.1.1 change:+b.test tcp:1.1.1.1:443", "denied", `by egress none`},
		{"+a.test", "a.test=1.1.1.1 change:-1.1.1.1 tcp:1.1.1.1:443", "denied", `by deny 1.1.1.1`},
	} {
		n := tableNetwork(t, tt.rules)
		var outcome, line string
		for word := range strings.FieldsSeq(tt.does) {
			outcome, line = n.do(t, word)
		}
		if outcome != tt.outcome || !strings.HasPrefix(line, tt.outcome+" ") || !strings.Contains(line, tt.line) {
			t.Errorf("%q, %s: %s, and the log has %q; want %s, %q", tt.rules, tt.does, outcome, line, tt.outcome, tt.line)
		}
	}
}

// tabled is a network without a guest.
type tabled struct {
	*Network
	log *traffic
}

func tableNetwork(t *testing.T, rules string) tabled {
	t.Helper()
	log := new(traffic)
	n := tabled{&Network{options: Options{Traffic: log}, servers: func() []string { return []string{"ok:53"} }, ctx: t.Context()}, log}
	n.SetPolicy(tableRules(t, rules))
	return n
}

// tableRules reads "egress +allowed -denied ...".
func tableRules(t *testing.T, text string) policy.Policy {
	t.Helper()
	var s policy.Settings
	for word := range strings.FieldsSeq(text) {
		switch word[0] {
		case '+':
			s.Allow = append(s.Allow, word[1:])
		case '-':
			s.Deny = append(s.Deny, word[1:])
		default:
			s.Egress = word
		}
	}
	return rules(t, s)
}

// do does what a word of the table says, and returns the last line of the log.
func (n tabled) do(t *testing.T, word string) (outcome, line string) {
	t.Helper()
	verb, rest, _ := strings.Cut(word, ":")
	address, name, _ := strings.Cut(rest, "/")
	var ok bool
	switch verb {
	case "change":
		n.SetPolicy(tableRules(t, rest))
		return "", ""
	case "tcp", "udp", "tls", "plain":
		ok = n.connect(t, verb, netip.MustParseAddrPort(address), name)
	case "icmp":
		to := netip.AddrPortFrom(netip.MustParseAddr(rest), 0)
		if _, ok = n.allowed("icmp", to); ok {
			n.noteAllowed("icmp", to)
		}
	default:
		ok = n.lookUp(t, word)
	}
	outcome = "denied"
	if ok {
		outcome = "allowed"
	}
	lines := strings.Split(strings.TrimSpace(n.log.String()), "\n")
	_, line, _ = strings.Cut(lines[len(lines)-1], " ") // without its time
	return outcome, line
}

// connect does as the stack's forwarders do, and reports whether anything that is
// sent would go out.
func (n tabled) connect(t *testing.T, verb string, to netip.AddrPort, name string) bool {
	protocol := "tcp"
	if verb == "udp" {
		protocol = verb
	}
	if _, ok := n.allowed(protocol, to); !ok {
		return false
	}
	n.noteAllowed(protocol, to)
	first := map[string][]byte{"plain": []byte("GET / HTTP/1.1\r\n"), "tls": nil}
	data, sends := first[verb]
	if o := n.opening(to); sends && o != nil {
		if data == nil {
			data = hello(t, name)
		}
		_, err := o.add(data)
		return err == nil
	}
	return true
}

// lookUp asks for a name's addresses, and reports whether it has any.
func (n tabled) lookUp(t *testing.T, word string) bool {
	t.Helper()
	name, addresses, _ := strings.Cut(word, "=")
	alias := ""
	if rest, has := strings.CutPrefix(addresses, ">"); has {
		alias, addresses, _ = strings.Cut(rest, "=")
	}
	reply := n.resolve(query(name, typeA), func(_ context.Context, _ string, q []byte) ([]byte, error) {
		return withAddresses(q, name, alias, strings.Split(addresses, ","))
	})
	return reply[3]&rcodeMask == noError && binary.BigEndian.Uint16(reply[answerCount:]) > 0
}

func withAddresses(q []byte, name, alias string, addresses []string) ([]byte, error) {
	owner, err := dnsmessage.NewName(name + ".")
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: binary.BigEndian.Uint16(q), Response: true})
	b.EnableCompression()
	err = errors.Join(err, b.StartQuestions(), b.Question(dnsmessage.Question{Name: owner, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}), b.StartAnswers())
	head := dnsmessage.ResourceHeader{Name: owner, Class: dnsmessage.ClassINET, TTL: 5}
	if alias != "" {
		target := dnsmessage.MustNewName(alias + ".")
		err = errors.Join(err, b.CNAMEResource(head, dnsmessage.CNAMEResource{CNAME: target}))
		head.Name = target
	}
	for _, a := range addresses {
		err = errors.Join(err, b.AResource(head, dnsmessage.AResource{A: netip.MustParseAddr(a).As4()}))
	}
	reply, buildErr := b.Finish()
	return reply, errors.Join(err, buildErr)
}

// A name's addresses are open for a minute at the least, and no longer than the
// answer says beyond that.
func TestNameLife(t *testing.T) {
	at := netip.MustParseAddr("1.1.1.1")
	for _, tt := range []struct {
		ttl   uint32
		since time.Duration
		known bool
	}{{0, 50 * time.Second, true}, {0, 61 * time.Second, false}, {5, 59 * time.Second, true}, {300, 299 * time.Second, true}, {300, 301 * time.Second, false},
		{1 << 31, 23 * time.Hour, true}, {1 << 31, 25 * time.Hour, false}} {
		var k knownNames
		reply := withRecord(query("a.test", typeA), at.AsSlice())
		binary.BigEndian.PutUint32(reply[len(reply)-10:], tt.ttl)
		k.learn("a.test", reply, minNameLife, time.Now().Add(-tt.since))
		if got := len(k.of(at)) > 0; got != tt.known {
			t.Errorf("a TTL of %d s, after %v: known %v", tt.ttl, tt.since, got)
		}
	}
}

// Answers with very many records, and very many names, are kept within bounds.
func TestManyRecords(t *testing.T) {
	n := tableNetwork(t, "+*.test")
	many := make([]string, 1000)
	for i := range many {
		many[i] = netip.AddrFrom4([4]byte{1, 1, byte(i >> 8), byte(i)}).String()
	}
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"} {
		if !n.lookUp(t, name+".test="+strings.Join(many, ",")) {
			t.Fatal("the answer is lost")
		}
		if names := n.known.of(netip.MustParseAddr(many[999])); !strings.Contains(strings.Join(names, " "), name+".test") {
			t.Errorf("%s.test is not known at its last address: %q", name, names)
		}
	}
	if len(n.known.until) > maxKnown {
		t.Errorf("%d are kept", len(n.known.until))
	}
	long := strings.Repeat(strings.Repeat("x", 60)+".", 4) + "test"
	if outcome, line := n.do(t, long+"=1.1.1.1"); outcome != "allowed" || len(line) > maxNote {
		t.Errorf("a name of %d bytes: %s, a line of %d bytes", len(long), outcome, len(line))
	}
}
