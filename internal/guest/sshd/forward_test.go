package sshd

import (
	"bufio"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
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
	f := serve(t)
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

func TestForwardSockets(t *testing.T) {
	client, dir := dial(t), t.TempDir()
	listener, err := net.Listen("unix", filepath.Join(dir, "guest"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go echo(t, listener)
	conn, err := client.Dial("unix", filepath.Join(dir, "guest"))
	if err != nil {
		t.Fatal(err)
	}
	converse(t, conn, "to the guest")

	path := filepath.Join(dir, "client")
	remote, err := client.ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v; want a socket that is the user's alone", info.Mode(), err)
	}
	if _, err := client.ListenUnix(path); err == nil {
		t.Error("a socket that is there was taken")
	}
	go echo(t, remote)
	if conn, err = net.Dial("unix", path); err != nil {
		t.Fatal(err)
	}
	converse(t, conn, "to the client")
	if err := remote.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the cancellation: %v", err)
	}
	if _, err := client.Dial("unix", filepath.Join(dir, "none")); err == nil {
		t.Error("a socket that is not there was dialled")
	}
}

func TestForwardAgent(t *testing.T) {
	client, keyring := dial(t), agent.NewKeyring()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := keyring.Add(agent.AddedKey{PrivateKey: key, Comment: "mine"}); err != nil {
		t.Fatal(err)
	}
	if err := agent.ForwardToAgent(client, keyring); err != nil {
		t.Fatal(err)
	}
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.RequestAgentForwarding(session); err != nil {
		t.Fatal(err)
	}
	in, err := session.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start("echo $SSH_AUTH_SOCK; read line"); err != nil {
		t.Fatal(err)
	}
	path, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unix", strings.TrimSpace(path))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if keys, err := agent.NewClient(conn).List(); err != nil || len(keys) != 1 || keys[0].Comment != "mine" {
		t.Errorf("got %v, %v", keys, err)
	}
	in.Close()
	session.Wait()
}
