package reach

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"banger/internal/agentapi"
	"banger/internal/format/datagram"
)

// A server of datagrams on a loopback answers; when it has gone, so does the
// connection.
func TestServeDatagrams(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "127.9.9.9:0", "[::1]:0"} {
		server, err := net.ListenPacket("udp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		go func() {
			buf := make([]byte, datagram.Max)
			for {
				n, from, err := server.ReadFrom(buf)
				if err != nil {
					return
				}
				server.WriteTo(buf[:n], from)
			}
		}()
		conn, answer := askDatagrams(t, server.LocalAddr().(*net.UDPAddr).Port)
		if answer != agentapi.ReachConnected {
			t.Fatalf("%s: the answer is %d", address, answer)
		}
		stream, buf := datagram.New(conn), make([]byte, datagram.Max)
		for _, sent := range []string{"a", "", strings.Repeat("b", 60000)} {
			stream.Write([]byte(sent))
			if n, err := stream.Read(buf); string(buf[:n]) != sent || err != nil {
				t.Errorf("%s: %d bytes came back, %v; want %d", address, n, err, len(sent))
			}
		}
		server.Close()
		stream.Write([]byte("x"))
		if n, err := stream.Read(buf); err == nil {
			t.Errorf("%s: nobody answers %q", address, buf[:n])
		}
	}
}

func TestServeRefusesDatagrams(t *testing.T) {
	if _, answer := askDatagrams(t, 1); answer != agentapi.ReachRefused {
		t.Errorf("where nobody receives, the answer is %d", answer)
	}
	open, err := net.ListenPacket("udp4", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if _, answer := askDatagrams(t, open.LocalAddr().(*net.UDPAddr).Port); answer != agentapi.ReachRefused {
		t.Errorf("where the host reaches the port itself, the answer is %d", answer)
	}
}

func askDatagrams(t *testing.T, port int) (conn *net.TCPConn, answer byte) {
	t.Helper()
	return askBytes(t, []byte{0, 0, byte(port >> 8), byte(port)})
}

func TestHidden(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "",
		"127.0.0.1":                       "127.0.0.1",
		"::1":                             "::1",
		"::1 127.0.0.1":                   "127.0.0.1",
		"10.1.2.3":                        "10.1.2.3",
		"10.1.2.3 127.0.0.53":             "127.0.0.53",
		"127.0.0.54 127.0.0.53":           "127.0.0.53",
		"127.0.0.1 0.0.0.0":               "",
		"127.0.0.1 ::":                    "",
		"127.0.0.1 " + agentapi.GuestIP:   "",
		"::ffff:127.0.0.1":                "127.0.0.1",
		"224.0.0.251 fe80::1":             "",
		"224.0.0.251 127.0.0.1 239.1.1.1": "127.0.0.1",
	} {
		var addresses []netip.Addr
		for word := range strings.FieldsSeq(text) {
			addresses = append(addresses, netip.MustParseAddr(word))
		}
		got, ok := hidden(addresses)
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%q: got %v, %v; want %q", text, got, ok, want)
		}
	}
}
