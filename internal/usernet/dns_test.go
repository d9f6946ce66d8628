package usernet

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"banger/internal/agentapi"
)

// query is a question for a name, with an identifier of its own.
func query(name string, kind uint16) []byte {
	q := []byte{0x12, 0x34, flagRecursionDesired, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for label := range strings.SplitSeq(name, ".") {
		label = strings.ReplaceAll(label, `\046`, ".")
		q = append(append(q, byte(len(label))), label...)
	}
	q = append(q, 0)
	q = binary.BigEndian.AppendUint16(q, kind)
	return binary.BigEndian.AppendUint16(q, classIN)
}

// withRecord answers a query with one record's data.
func withRecord(query []byte, data []byte) []byte {
	q, _ := parseQuestion(query)
	reply := answer(query, q, noError)
	binary.BigEndian.PutUint16(reply[answerCount:], 1)
	reply = append(reply, 0xc0, headerSize)
	reply = binary.BigEndian.AppendUint16(reply, q.kind)
	reply = binary.BigEndian.AppendUint16(reply, classIN)
	reply = binary.BigEndian.AppendUint32(reply, 60)
	reply = binary.BigEndian.AppendUint16(reply, uint16(len(data)))
	return append(reply, data...)
}

func TestResolve(t *testing.T) {
	text := []byte("\x05hello")
	upstream := func(_ context.Context, server string, q []byte) ([]byte, error) {
		question, _ := parseQuestion(q)
		switch {
		case server == "dead:53":
			return nil, errors.New("no answer")
		case server == "refuses:53":
			return answer(q, question, refused), nil
		case server == "fails:53":
			return answer(q, question, serverFailure), nil
		case question.name == "absent.test":
			return answer(q, question, nameError), nil
		case question.kind == typeAAAA:
			return withRecord(q, make([]byte, 16)), nil
		}
		return withRecord(q, text), nil
	}
	for name, test := range map[string]struct {
		query   []byte
		servers []string
		host    bool
		want    func(query []byte) []byte
	}{
		"any type goes through":  {query("txt.test", 16), []string{"ok:53"}, false, func(q []byte) []byte { return withRecord(q, text) }},
		"the next server":        {query("txt.test", 16), []string{"dead:53", "ok:53"}, false, func(q []byte) []byte { return withRecord(q, text) }},
		"no server":              {query("txt.test", 16), []string{"dead:53"}, false, empty(serverFailure)},
		"a server that refuses":  {query("txt.test", 16), []string{"refuses:53", "ok:53"}, false, func(q []byte) []byte { return withRecord(q, text) }},
		"a server that fails":    {query("txt.test", 16), []string{"fails:53", "dead:53", "ok:53"}, false, func(q []byte) []byte { return withRecord(q, text) }},
		"all refuse":             {query("txt.test", 16), []string{"fails:53", "refuses:53", "dead:53"}, false, empty(refused)},
		"all refuse IPv6":        {query("txt.test", typeAAAA), []string{"refuses:53"}, false, empty(refused)},
		"an absent name":         {query("absent.test", 16), []string{"ok:53", "refuses:53"}, false, empty(nameError)},
		"no address of IPv6":     {query("v6.test", typeAAAA), []string{"ok:53"}, false, empty(noError)},
		"no name":                {query("absent.test", typeAAAA), []string{"ok:53"}, false, empty(nameError)},
		"the host":               {query("HOST.banger.internal", typeA), nil, true, func(q []byte) []byte { return withHost(q) }},
		"the host has no IPv6":   {query(HostName, typeAAAA), nil, true, empty(noError)},
		"the host is not there":  {query(HostName, typeA), []string{"ok:53"}, false, empty(nameError)},
		"an answer is no query":  {answer(query("a.test", 1), question{}, 0), []string{"ok:53"}, false, nothing},
		"a name cut short":       {query("a.test", typeA)[:15], []string{"ok:53"}, false, nothing},
		"a compressed question":  {append(query("", typeA)[:headerSize], 0xc0, 12, 0, 1, 0, 1), []string{"ok:53"}, false, nothing},
		"nothing but its header": {query("a.test", typeA)[:headerSize], []string{"ok:53"}, false, nothing},
	} {
		t.Run(name, func(t *testing.T) {
			n := &Network{
				options: Options{HostLoopback: test.host, Log: io.Discard},
				servers: func() []string { return test.servers },
				ctx:     t.Context(),
			}
			if got, want := n.resolve(test.query, upstream), test.want(test.query); !bytes.Equal(got, want) {
				t.Errorf("resolve gave\n%swant\n%s", hex.Dump(got), hex.Dump(want))
			}
		})
	}
}

func empty(rcode byte) func([]byte) []byte {
	return func(query []byte) []byte {
		q, _ := parseQuestion(query)
		return answer(query, q, rcode)
	}
}

func nothing([]byte) []byte { return nil }

func withHost(query []byte) []byte {
	reply := withRecord(query, host.AsSlice())
	copy(reply[len(reply)-10:], []byte{0, 0, 0, 0}) // its lifetime
	return reply
}

// TestGuestResolves asks over UDP and TCP as a guest's resolver does.
func TestGuestResolves(t *testing.T) {
	address := []byte{192, 0, 2, 7}
	server := fakeServer(t, func(q []byte) []byte { return withRecord(q, address) })
	n, g := newNetwork(t, Options{HostLoopback: true}, streamFrames)
	n.servers = func() []string { return []string{server} }
	for _, network := range []string{"udp", "tcp"} {
		resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return g.dial(ctx, network, net.JoinHostPort(agentapi.GatewayIP, "53"))
		}}
		for name, want := range map[string]string{"a.test.": "192.0.2.7", HostName + ".": agentapi.HostIP} {
			got, err := resolver.LookupHost(t.Context(), name)
			if err != nil || !slices.Equal(got, []string{want}) {
				t.Errorf("over %s, %s is %v, %v; want %s", network, name, got, err, want)
			}
		}
	}
}

// fakeServer is a name server on UDP and TCP.
func fakeServer(t *testing.T, reply func([]byte) []byte) (address string) {
	t.Helper()
	l := listenTCP(t)
	packets, err := net.ListenPacket("udp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { packets.Close() })
	go func() {
		buf := make([]byte, maxQuery)
		for {
			n, from, err := packets.ReadFrom(buf)
			if err != nil {
				return
			}
			// An answer to another question comes first.
			wrong := reply(buf[:n])
			wrong[0]++
			packets.WriteTo(wrong, from)
			packets.WriteTo(reply(buf[:n]), from)
		}
	}()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if q, err := readDNS(conn); err == nil {
				writeDNS(conn, reply(q))
			}
			conn.Close()
		}
	}()
	return l.Addr().String()
}

func TestParseSearch(t *testing.T) {
	for conf, want := range map[string]string{
		"":                                   "[] 0",
		"search lan example.com\n":           "[lan example.com] 0",
		"domain a.b\nsearch c d\n":           "[c d] 0",
		"search c d\ndomain a.b x\n":         "[a.b] 0",
		"search .\n":                         "[] 0",
		"search a;b c$(d) ok_1.example. ü\n": "[ok_1.example.] 0",
		"search 1 2 3 4 5 6 7 8\n":           "[1 2 3 4 5 6] 0",
		"search " + strings.Repeat("a", 200) + " " + strings.Repeat("b", 60): "[" + strings.Repeat("a", 200) + "] 0",
		"options edns0 ndots:5 trust-ad\nsearch x":                           "[x] 5",
		"options ndots:99\noptions ndots:x\noptions ndots:1\n#search y":      "[] 0",
	} {
		domains, dots := parseSearch(strings.NewReader(conf))
		if got := fmt.Sprint(domains, dots); got != want {
			t.Errorf("parseSearch(%q) = %s, want %s", conf, got, want)
		}
	}
}

func TestParseServers(t *testing.T) {
	for conf, want := range map[string][]string{
		"":                   {"127.0.0.1:53"},
		"search lan\n":       {"127.0.0.1:53"},
		"nameserver 9.9.9.9": {"9.9.9.9:53"},
		"# nameserver 1.1.1.1\nnameserver\tfe80::1%eth0 \nnameserver 10.0.0.1\n":           {"[fe80::1%eth0]:53", "10.0.0.1:53"},
		"nameserver 1.0.0.1\nnameserver 1.0.0.2\nnameserver 1.0.0.3\nnameserver 1.0.0.4\n": {"1.0.0.1:53", "1.0.0.2:53", "1.0.0.3:53"},
	} {
		if got := parseServers(strings.NewReader(conf)); !slices.Equal(got, want) {
			t.Errorf("parseServers(%q) = %q, want %q", conf, got, want)
		}
	}
}

func FuzzParseQuestion(f *testing.F) {
	f.Add(query("www.example.org", typeA))
	f.Add(query("", typeAAAA))
	f.Add(answer(query("a.b", typeA), question{}, noError))
	f.Add(append(query("a", typeA)[:headerSize], 0xc0, 12, 0, 1, 0, 1))
	f.Fuzz(func(t *testing.T, message []byte) {
		q, ok := parseQuestion(message)
		if !ok {
			return
		}
		reply := answer(message, q, noError)
		again, ok := parseQuestion(append(slices.Clone(message[:headerSize]), q.raw...))
		if !ok || again.name != q.name || again.kind != q.kind {
			t.Errorf("the question %q reads as %q alone", q.name, again.name)
		}
		if !answers(reply, message) || !bytes.HasSuffix(reply, q.raw) {
			t.Errorf("%x does not answer %x", reply, message)
		}
	})
}
