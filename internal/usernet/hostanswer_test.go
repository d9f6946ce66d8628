package usernet

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"banger/internal/usernet/policy"
)

// serverHello is a server's first message, as far as it matters, in records of a size.
func serverHello(random []byte, size int) []byte {
	message := append([]byte{helloAnswer, 0, 0, 40, 3, 3}, random...)
	return split(append(make([]byte, recordHeader), append(message, 0, 0, 0, 0)...), size)
}

func TestAsksAgain(t *testing.T) {
	warning := []byte{recordAlert, 3, 3, 0, 2, 1, 112}
	other := bytes.Repeat([]byte{7}, randomLength)
	for _, tt := range []struct {
		what         string
		data         []byte
		again, whole bool
	}{
		{"nothing", nil, false, false},
		{"an answer", serverHello(other, 100), false, true},
		{"that asks again", serverHello(retryRandom, 100), true, true},
		{"in small records", serverHello(retryRandom, 5), true, true},
		{"behind a warning", append(bytes.Clone(warning), serverHello(retryRandom, 100)...), true, true},
		{"the beginning", serverHello(retryRandom, 100)[:42], false, false},
		{"another message", []byte{recordHandshake, 3, 3, 0, 4, 0, 0, 0, 0}, false, true},
		{"a banner", []byte("2"), false, true},
		{"data", []byte{recordData, 3, 3, 0, 1, 0}, false, true},
	} {
		if again, whole := asksAgain(tt.data); again != tt.again || whole != tt.whole {
			t.Errorf("%s: again %v, whole %v", tt.what, again, whole)
		}
		a := newHostAnswer()
		for _, b := range tt.data {
			a.add([]byte{b})
		}
		if a.isKnown() != tt.whole || a.again != tt.again {
			t.Errorf("%s, byte by byte: again %v, known %v", tt.what, a.again, a.isKnown())
		}
	}
	endless := newHostAnswer()
	endless.add(bytes.Repeat(warning, maxAnswer))
	if !endless.isKnown() || !endless.again || endless.data != nil {
		t.Errorf("of endless warnings %d bytes are kept, again %v", len(endless.data), endless.again)
	}
}

// What a client sends when the host has asked for its first message again.
func TestSecondMessage(t *testing.T) {
	first, same, other := hello(t, "a.test"), hello(t, "a.test"), hello(t, "b.test")
	early := []byte{recordData, 3, 3, 0, 3, 1, 2, 3}
	change := []byte{recordChange, 3, 3, 0, 1, 1}
	for _, tt := range []struct {
		what   string
		again  bool
		data   []byte
		passes bool
	}{
		{"the same", true, same, true},
		{"the same behind what may come before", true, bytes.Join([][]byte{early, early, change, same}, nil), true},
		{"another host", true, other, false},
		{"another host behind what may come before", true, bytes.Join([][]byte{early, change, split(other, 3)}, nil), false},
		{"no host", true, hello(t, ""), false},
		{"another message", true, []byte{recordHandshake, 3, 3, 0, 4, 16, 0, 0, 0}, false},
		{"data without end", true, bytes.Repeat(early, maxAgain), false},
		{"what was not asked for", false, other, true}, // and no server takes
	} {
		for _, together := range []bool{false, true} {
			n := new(Network)
			n.SetPolicy(rules(t, policy.Settings{Allow: []string{"a.test"}}))
			o := n.opening(netip.MustParseAddrPort("192.0.2.1:443"))
			sent, more := first, tt.data
			if together {
				sent, more = append(bytes.Clone(first), tt.data...), nil
			}
			passed, err := o.add(sent)
			if err != nil || !bytes.Equal(passed, first) || !o.sent || o.rest != together {
				t.Fatalf("%s: %d bytes of the first message pass, %v", tt.what, len(passed), err)
			}
			o.answer.end(tt.again)
			passed, err = o.add(more)
			if tt.passes != (err == nil && bytes.Equal(passed, tt.data) && o.over) {
				t.Errorf("%s, together %v: %d of %d bytes pass, %v", tt.what, together, len(passed), len(tt.data), err)
			}
		}
	}
}

// renaming is a connection on which a client names another host in its second message.
type renaming struct {
	net.Conn
	hellos *int
}

func (c renaming) Write(data []byte) (int, error) {
	if at := bytes.Index(data, []byte("a.test")); at >= 0 {
		if *c.hellos++; *c.hellos == 2 {
			data = bytes.Clone(data)
			copy(data[at:], "b.test")
		}
	}
	return c.Conn.Write(data)
}

// A server that asks for the first message again hears the same host's name in it, or
// nothing more.
func TestServerAsksAgain(t *testing.T) {
	var heard atomic.Value
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "served") }))
	server.TLS = &tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP521}, GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		heard.Store(h.ServerName)
		return nil, nil
	}}
	server.StartTLS()
	t.Cleanup(server.Close)
	log := new(traffic)
	n, g := newNetwork(t, Options{Traffic: log}, streamFrames)
	n.SetPolicy(rules(t, policy.Settings{Allow: []string{"a.test"}}))
	n.dial = func(ctx context.Context, _ netip.AddrPort) (*net.TCPConn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
		if err != nil {
			return nil, err
		}
		return conn.(*net.TCPConn), nil
	}
	at := netip.MustParseAddrPort("198.51.100.7:443")
	n.known.learn("a.test", withRecord(query("a.test", typeA), at.Addr().AsSlice()), minNameLife, time.Now())
	for _, renames := range []bool{false, true} {
		hellos := 0
		client := &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{ServerName: "a.test", InsecureSkipVerify: true}, DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				conn, err := g.dial(ctx, "tcp", at.String())
				if err == nil && renames {
					conn = renaming{conn, &hellos}
				}
				return conn, err
			},
		}}
		answer, err := client.Get("https://a.test/")
		if renames {
			if err == nil {
				answer.Body.Close()
				t.Error("another host's name was sent on")
			}
			if hellos != 2 {
				t.Errorf("the client sent %d first messages", hellos)
			}
			continue
		}
		check(t, err)
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || string(body) != "served" || heard.Load() != "a.test" {
			t.Errorf("got %q, %v, for %q", body, err, heard.Load())
		}
	}
	if want := `denied tcp 198.51.100.7:443 ["a.test"] by its TLS: for "a.test" first, and then for "b.test"`; !strings.Contains(log.String(), want) {
		t.Errorf("the log has %q", log)
	}
}

// What comes along with the first message goes on once the host has answered.
func TestEarlyData(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer listener.Close()
	n, g := newNetwork(t, Options{}, streamFrames)
	n.SetPolicy(rules(t, policy.Settings{Allow: []string{"a.test"}}))
	n.dial = func(ctx context.Context, _ netip.AddrPort) (*net.TCPConn, error) {
		return DialTCP(ctx, netip.MustParseAddrPort(listener.Addr().String()))
	}
	at := netip.MustParseAddrPort("198.51.100.7:443")
	n.known.learn("a.test", withRecord(query("a.test", typeA), at.Addr().AsSlice()), minNameLife, time.Now())
	first, early := hello(t, "a.test"), []byte{recordData, 3, 3, 0, 3, 1, 2, 3}
	conn := g.mustDial("tcp", at.String())
	conn.Write(append(bytes.Clone(first), early...))
	host, err := listener.Accept()
	check(t, err)
	defer host.Close()
	got := make([]byte, len(first))
	_, err = io.ReadFull(host, got)
	check(t, err)
	random := binary.BigEndian.AppendUint64(make([]byte, randomLength-8), 1)
	host.Write(serverHello(random, 100))
	conn.(interface{ CloseWrite() error }).CloseWrite()
	rest, err := io.ReadAll(host)
	if !bytes.Equal(got, first) || !bytes.Equal(rest, early) || err != nil {
		t.Errorf("the host heard %d bytes and then %x, %v", len(got), rest, err)
	}
}
