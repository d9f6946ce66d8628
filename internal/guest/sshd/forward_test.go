package sshd

import (
	"errors"
	"io"
	"net"
	"testing"

	"golang.org/x/crypto/ssh"
)

// echo answers one connection with what it said, after it has said all.
func echo(t *testing.T, listener net.Listener) {
	conn, err := listener.Accept()
	if err != nil {
		return // the test's end
	}
	defer conn.Close()
	data, err := io.ReadAll(conn)
	if err != nil {
		t.Error(err)
	}
	conn.Write(data)
}

// converse sends text, its end, and expects both back.
func converse(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); string(got) != text || err != nil {
		t.Errorf("got %q, %v; want %q", got, err, text)
	}
}

func TestForwardToGuest(t *testing.T) {
	client := dial(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go echo(t, listener)
	port := listener.Addr().(*net.TCPAddr).Port
	payload := forwarded{Host: "localhost", Port: uint32(port), OriginHost: "127.0.0.1"}
	channel, requests, err := client.OpenChannel("direct-tcpip", ssh.Marshal(&payload))
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(requests)
	io.WriteString(channel, "to the guest")
	channel.CloseWrite()
	if got, err := io.ReadAll(channel); string(got) != "to the guest" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestForwardToGuestRefused(t *testing.T) {
	client := dial(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close() // nobody listens there now
	_, err = client.Dial("tcp", listener.Addr().String())
	var open *ssh.OpenChannelError
	if !errors.As(err, &open) || open.Reason != ssh.ConnectionFailed {
		t.Errorf("got %v, want that the connection failed", err)
	}
	if _, _, err := client.OpenChannel("direct-tcpip", []byte("?")); !errors.As(err, &open) {
		t.Errorf("a bad payload: %v", err)
	}
}

func TestForwardToClient(t *testing.T) {
	client := dial(t)
	remote, err := client.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go echo(t, remote)
	conn, err := net.Dial("tcp", remote.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	converse(t, conn, "to the client")
	if err := remote.Close(); err != nil {
		t.Fatal(err)
	}
	if conn, err := net.Dial("tcp", remote.Addr().String()); err == nil {
		conn.Close()
		t.Error("the guest still listens")
	}
}

// A port that is taken is refused, and the client's ports go with it.
func TestForwardToClientEnds(t *testing.T) {
	f := serve(t, nil)
	first, second := f.dial(t), f.dial(t)
	remote, err := first.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := remote.Addr().String()
	if l, err := second.Listen("tcp", addr); err == nil {
		l.Close()
		t.Error("the port was given out twice")
	}
	first.Close()
	for {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return // nobody listens any more
		}
		io.Copy(io.Discard, conn)
		conn.Close()
	}
}
