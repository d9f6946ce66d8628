package reach

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"

	"banger/internal/agentapi"
)

// pair returns two ends of a connection.
func pair(t *testing.T) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); peer.Close() })
	return conn.(*net.TCPConn), peer.(*net.TCPConn)
}

func ask(t *testing.T, port int) (conn *net.TCPConn, answer byte) {
	t.Helper()
	return askBytes(t, binary.BigEndian.AppendUint16(nil, uint16(port)))
}

func askBytes(t *testing.T, request []byte) (conn *net.TCPConn, answer byte) {
	t.Helper()
	conn, peer := pair(t)
	go func() {
		defer peer.Close()
		serve(peer)
	}()
	conn.Write(request)
	got := []byte{0xff}
	io.ReadFull(conn, got)
	return conn, got[0]
}

func TestServe(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			data, _ := io.ReadAll(conn) // all of it, and then the answer
			conn.Write(data)
		}()
		conn, answer := ask(t, l.Addr().(*net.TCPAddr).Port)
		if answer != agentapi.ReachConnected {
			t.Fatalf("%s: the answer is %d", address, answer)
		}
		io.WriteString(conn, "half-closed")
		conn.CloseWrite()
		if got, err := io.ReadAll(conn); string(got) != "half-closed" || err != nil {
			t.Errorf("%s: got %q, %v", address, got, err)
		}
	}
}

func TestServeRefuses(t *testing.T) {
	if _, answer := ask(t, 1); answer != agentapi.ReachRefused {
		t.Errorf("the answer is %d", answer)
	}
}

// Only the supervisor is served.
func TestServeNobodyElse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go Serve(l)
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}
