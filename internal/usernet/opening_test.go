package usernet

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"banger/internal/usernet/policy"
)

// hello is a client's first message.
func hello(t *testing.T, name string) []byte {
	t.Helper()
	var sent bytes.Buffer
	config := &tls.Config{ServerName: name, InsecureSkipVerify: true}
	tls.Client(recorder{&sent}, config).HandshakeContext(t.Context())
	if sent.Len() == 0 {
		t.Fatal("no first message was sent")
	}
	return sent.Bytes()
}

type recorder struct{ *bytes.Buffer }

func (recorder) Read([]byte) (int, error)         { return 0, io.EOF }
func (recorder) Close() error                     { return nil }
func (recorder) LocalAddr() net.Addr              { return nil }
func (recorder) RemoteAddr() net.Addr             { return nil }
func (recorder) SetDeadline(time.Time) error      { return nil }
func (recorder) SetReadDeadline(time.Time) error  { return nil }
func (recorder) SetWriteDeadline(time.Time) error { return nil }

// split puts a message into many records.
func split(message []byte, size int) (records []byte) {
	for rest := message[recordHeader:]; len(rest) > 0; {
		part := rest[:min(size, len(rest))]
		records = append(records, recordHandshake, 3, 1, byte(len(part)>>8), byte(len(part)))
		records, rest = append(records, part...), rest[len(part):]
	}
	return records
}

func TestOpening(t *testing.T) {
	ok, other := hello(t, "a.test"), hello(t, "b.test")
	twice := bytes.Replace(ok, []byte("a.test"), []byte("a.tes\x00"), 1)
	for _, tt := range []struct {
		what, settings string
		data           []byte
		passes         bool
	}{
		{"the name", "a.test", ok, true},
		{"the name in small records", "a.test", split(ok, 3), true},
		{"another name", "a.test", other, false},
		{"another name in small records", "a.test", split(other, 1), false},
		{"below a wildcard", "*.test", other, true},
		{"no name", "a.test", hello(t, ""), false},
		{"no name, where the address is allowed", "a.test 192.0.2.1", hello(t, ""), true},
		{"another name, where the address is allowed", "a.test 192.0.2.1", other, true},
		{"no TLS", "a.test", []byte("SSH-2.0-x\r\n"), true},
		{"a broken message", "a.test", []byte{22, 3, 1, 0, 5, 1, 0, 0, 1, 0}, false},
		{"a server's message", "a.test", []byte{22, 3, 1, 0, 4, 2, 0, 0, 0}, false},
		{"a long one", "a.test", []byte{22, 3, 1, 0, 4, 1, 0xff, 0, 0}, false},
		{"an empty record", "a.test", []byte{22, 3, 1, 0, 0}, false},
		{"another record within", "a.test", append(split(ok, 30)[:35], 23, 3, 1, 0, 1, 0), false},
		{"a name with a zero", "a.test", twice, false},
	} {
		t.Run(tt.what, func(t *testing.T) {
			n := new(Network)
			n.SetPolicy(rules(t, policy.Settings{Allow: strings.Fields(tt.settings)}))
			for _, step := range []int{1, 7, len(tt.data)} {
				o := n.opening(netip.MustParseAddrPort("192.0.2.1:443"))
				var passed []byte
				var err error
				for rest := tt.data; len(rest) > 0 && err == nil; {
					var part []byte
					part, err = o.add(rest[:min(step, len(rest))])
					rest = rest[min(step, len(rest)):]
					if err == nil && part != nil {
						passed = append(append(passed, part...), rest...)
						break
					}
				}
				if tt.passes != (err == nil && bytes.Equal(passed, tt.data)) {
					t.Errorf("in steps of %d: %d of %d bytes pass, %v", step, len(passed), len(tt.data), err)
				}
			}
		})
	}
}

// Nothing waits for what a client with many words does not end.
func TestOpeningIsBounded(t *testing.T) {
	n := new(Network)
	n.SetPolicy(rules(t, policy.Settings{Allow: []string{"a.test"}}))
	o := n.opening(netip.MustParseAddrPort("192.0.2.1:443"))
	endless := split(append(make([]byte, recordHeader), append([]byte{1, 0, 0x3f, 0xff}, make([]byte, 4*maxHello)...)...), 1)
	for _, b := range endless {
		if _, err := o.add([]byte{b}); err != nil {
			return
		}
	}
	t.Errorf("%d bytes are held", len(o.data))
}

// The guest chooses what a line says, but not how long it is.
func TestNotesAreBounded(t *testing.T) {
	log := new(traffic)
	n := &Network{options: Options{Traffic: log}}
	n.note("denied %q", strings.Repeat("x", 1<<20))
	if got := log.String(); len(got) != maxNote+1 || !strings.HasSuffix(got, "x\n") {
		t.Errorf("a line of %d bytes", len(got))
	}
}

// QUIC hides its host, so that a name does not open it.
func TestNamesDoNotOpenQUIC(t *testing.T) {
	n := new(Network)
	n.SetPolicy(rules(t, policy.Settings{Allow: []string{"a.test", "198.51.100.8"}}))
	for _, address := range []string{"198.51.100.7", "198.51.100.8"} {
		a := netip.MustParseAddr(address)
		n.known.learn("a.test", withRecord(query("a.test", typeA), a.AsSlice()), minNameLife, time.Now())
		if _, ok := n.allowed("udp", netip.AddrPortFrom(a, 443)); ok != (address == "198.51.100.8") {
			t.Errorf("QUIC to %s: %v", a, ok)
		}
		if _, ok := n.allowed("udp", netip.AddrPortFrom(a, 123)); !ok {
			t.Errorf("UDP to %s is closed", a)
		}
	}
}

// Where names decide, what would have clients hide them is not there.
func TestNoHTTPSRecords(t *testing.T) {
	for _, allow := range [][]string{{"a.test"}, nil} {
		n := &Network{servers: func() []string { return []string{"ok:53"} }, ctx: t.Context()}
		n.SetPolicy(rules(t, policy.Settings{Allow: allow}))
		asked := false
		reply := n.resolve(query("a.test", typeHTTPS), func(_ context.Context, _ string, q []byte) ([]byte, error) {
			asked = true
			return withRecord(q, []byte{1, 2, 3, 4}), nil
		})
		if asked != (allow == nil) || reply[3]&rcodeMask != noError {
			t.Errorf("with %q: asked %v, %x", allow, asked, reply)
		}
	}
}

// A connection of which TLS names another host ends before that hears a byte.
func TestTLSForAnotherHost(t *testing.T) {
	log := new(traffic)
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	heard := make(chan string, 2)
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			all, _ := io.ReadAll(conn)
			heard <- string(all)
			conn.Close()
		}
	}()
	n, g := newNetwork(t, Options{Traffic: log}, streamFrames)
	n.SetPolicy(rules(t, policy.Settings{Allow: []string{"a.test"}}))
	n.dial = func(ctx context.Context, _ netip.AddrPort) (*net.TCPConn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", server.Addr().String())
		if err != nil {
			return nil, err
		}
		return conn.(*net.TCPConn), nil
	}
	at := netip.MustParseAddrPort("198.51.100.7:443")
	n.known.learn("a.test", withRecord(query("a.test", typeA), at.Addr().AsSlice()), minNameLife, time.Now())
	for _, name := range []string{"b.test", "a.test"} {
		conn := g.mustDial("tcp", at.String())
		message := hello(t, name)
		conn.Write(message[:100])
		conn.Write(message[100:])
		conn.(interface{ CloseWrite() error }).CloseWrite()
		want := ""
		if name == "a.test" {
			want = string(message)
		}
		if got := <-heard; got != want {
			t.Errorf("for %s the server heard %d bytes, want %d", name, len(got), len(want))
		}
	}
	for _, line := range []string{
		`denied tcp 198.51.100.7:443 ["a.test"] by egress none: TLS for "b.test"`, `allowed tcp 198.51.100.7:443 ["a.test"] by allow a.test`,
	} {
		if !strings.Contains(log.String(), line) {
			t.Errorf("the log has %q, not %q", log, line)
		}
	}
}
