package usernet

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"

	"banger/internal/agentapi"
)

// inward carries a new connection of the host's to a port of the guest, and
// returns its other end and what becomes of it.
func inward(t *testing.T, n *Network, port uint16) (*net.TCPConn, <-chan error) {
	t.Helper()
	l := listenTCP(t)
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ended := make(chan error, 1)
	go func() { ended <- n.ForwardTCP(t.Context(), conn.(*net.TCPConn), port) }()
	return client.(*net.TCPConn), ended
}

// echoHalf answers with all that it got, once that has ended.
func echoHalf(conn net.Conn) {
	defer conn.Close()
	data, _ := io.ReadAll(conn)
	conn.Write(data)
}

func TestForwardTCP(t *testing.T) {
	n, g := newNetwork(t, Options{}, streamFrames)
	direct, agent := g.listen(8080), g.listen(agentapi.ReachPort)
	go func() {
		for {
			conn, err := direct.Accept()
			if err != nil {
				return
			}
			go echoHalf(conn)
		}
	}()
	go func() { // the agent, with a server at port 8081
		for {
			conn, err := agent.Accept()
			if err != nil {
				return
			}
			var port [2]byte
			if _, err := io.ReadFull(conn, port[:]); err != nil || port != [2]byte{8081 >> 8, 8081 & 0xff} {
				conn.Write([]byte{agentapi.ReachRefused})
				conn.Close()
				continue
			}
			conn.Write([]byte{agentapi.ReachConnected})
			go echoHalf(conn)
		}
	}()
	for _, port := range []uint16{8080, 8081} {
		client, ended := inward(t, n, port)
		io.WriteString(client, "half-closed")
		client.CloseWrite()
		if got, err := io.ReadAll(client); string(got) != "half-closed" || err != nil {
			t.Errorf("port %d answered %q, %v", port, got, err)
		}
		if err := <-ended; err != nil {
			t.Errorf("port %d: %v", port, err)
		}
	}
	if _, ended := inward(t, n, 8082); !errors.Is(<-ended, errRefused) {
		t.Error("a port that nobody listens on is not refused")
	}
}

func TestDialUDP(t *testing.T) {
	n, g := newNetwork(t, Options{}, streamFrames)
	at := fullAddress(guest, 53)
	server, err := gonet.DialUDP(g.stack, &at, nil, ipv4.ProtocolNumber)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		buf := make([]byte, 100)
		size, from, err := server.ReadFrom(buf)
		if err == nil {
			server.WriteTo(buf[:size], from)
		}
	}()
	conn, err := n.DialUDP(t.Context(), 53)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	io.WriteString(conn, "hello")
	buf := make([]byte, 100)
	if size, err := conn.Read(buf); string(buf[:size]) != "hello" || err != nil {
		t.Errorf("got %q, %v", buf[:size], err)
	}
	n.Close()
	if _, err := conn.Read(buf); err == nil {
		t.Error("the socket outlives the network")
	}
}

// The agent is asked first; where it has nothing to connect to, the port is reached
// as it is, and one that nobody receives at is told.
func TestDialUDPByAgent(t *testing.T) {
	n, g := newNetwork(t, Options{}, streamFrames)
	agent := g.listen(agentapi.ReachPort)
	go func() {
		for {
			conn, err := agent.Accept()
			if err != nil {
				return
			}
			var request [4]byte
			if _, err := io.ReadFull(conn, request[:]); err != nil || request != [4]byte{0, 0, 0, 53} {
				conn.Write([]byte{agentapi.ReachRefused})
				conn.Close()
				continue
			}
			conn.Write([]byte{agentapi.ReachConnected})
			go io.Copy(conn, conn) // each datagram comes back as it was
		}
	}()
	conn, err := n.DialUDP(t.Context(), 53)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	buf := make([]byte, 1<<16)
	for _, sent := range []string{"a", "", strings.Repeat("b", 60000)} {
		conn.Write([]byte(sent))
		if size, err := conn.Read(buf); string(buf[:size]) != sent || err != nil {
			t.Errorf("%d bytes came back, %v; want %d", size, err, len(sent))
		}
	}
	nobody, err := n.DialUDP(t.Context(), 54)
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close()
	nobody.Write([]byte("x"))
	if size, err := nobody.Read(buf); err == nil {
		t.Errorf("a port that nobody receives at answers %q", buf[:size])
	}
}
