package usernet

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"banger/internal/agentapi"
)

// TestBulk sends more than all buffers hold, both ways at once.
func TestBulk(t *testing.T) {
	for name, f := range map[string]frames{"stream": streamFrames, "packets": packetFrames} {
		t.Run(name, func(t *testing.T) {
			address := atHost(echoTCP(t))
			_, g := newNetwork(t, Options{HostLoopback: true}, f)
			conn := g.mustDial("tcp", address)
			const size = 24 << 20
			sent, received := sha256.New(), sha256.New()
			source := io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{1}), size), sent)
			written := make(chan error, 1)
			go func() {
				_, err := io.Copy(struct{ io.Writer }{conn}, source)
				conn.(interface{ CloseWrite() error }).CloseWrite()
				written <- err
			}()
			n, err := io.Copy(received, conn)
			if err := errors.Join(err, <-written); err != nil || n != size {
				t.Fatalf("%d bytes came back, %v; want %d", n, err, size)
			}
			if !bytes.Equal(sent.Sum(nil), received.Sum(nil)) {
				t.Error("other bytes came back than were sent")
			}
		})
	}
}

func TestResetReachesTheGuest(t *testing.T) {
	l := listenTCP(t)
	_, g := newNetwork(t, Options{HostLoopback: true}, streamFrames)
	conn := g.mustDial("tcp", atHost(l.Addr().String()))
	outside, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	outside.(*net.TCPConn).SetLinger(0)
	outside.Close()
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the guest read %v, want a broken connection", err)
	}
}

func TestResetReachesTheHost(t *testing.T) {
	l := listenTCP(t)
	_, g := newNetwork(t, Options{HostLoopback: true}, streamFrames)
	conn := g.mustDial("tcp", atHost(l.Addr().String()))
	outside, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	// Data that was not read turns a close into a reset.
	if _, err := io.WriteString(outside, "unread"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if _, err := outside.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("the host read %v, want a reset", err)
	}
}

func TestDatagrams(t *testing.T) {
	address := atHost(echoUDP(t))
	_, g := newNetwork(t, Options{HostLoopback: true}, streamFrames)
	conn := g.mustDial("udp", address)
	buf := make([]byte, 1<<16)
	for _, size := range []int{1, 512, 1472, 9000, 65000} {
		sent := bytes.Repeat([]byte{byte(size)}, size)
		if _, err := conn.Write(sent); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Read(buf)
		if err != nil || !bytes.Equal(buf[:n], sent) {
			t.Errorf("%d bytes were echoed, %v; want the %d sent", n, err, size)
		}
	}
}

func TestDatagramToNobody(t *testing.T) {
	_, g := newNetwork(t, Options{}, streamFrames)
	conn := g.mustDial("udp", net.JoinHostPort(agentapi.GatewayIP, "9"))
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if got := <-g.icmp; got.Type() != header.ICMPv4DstUnreachable || got.Code() != header.ICMPv4PortUnreachable {
		t.Errorf("the guest got %x, want that the port is unreachable", []byte(got))
	}
}

// atHost is a loopback address of the host as the guest sees it.
func atHost(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return net.JoinHostPort(agentapi.HostIP, port)
}

func listenTCP(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func echoTCP(t *testing.T) (address string) { return serveEcho(t, listenTCP(t)) }

func serveEcho(t *testing.T, l net.Listener) (address string) {
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.Copy(conn, conn)
			}()
		}
	}()
	return l.Addr().String()
}

func echoUDP(t *testing.T) (address string) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			conn.WriteTo(buf[:n], from)
		}
	}()
	return conn.LocalAddr().String()
}

func unusedPort(t *testing.T) string {
	l := listenTCP(t)
	l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
