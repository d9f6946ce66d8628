package usernet

import (
	"net"
	"runtime"
	"testing"
)

// maxIdleStack is what the goroutines of a connection that waits may have, in bytes:
// one that has carried something would have 8 KiB.
const maxIdleStack = 5 << 10

// A connection that waits has one goroutine, whose stack is as small as they begin,
// whoever began the connection, and also when it has carried something.
func TestIdleConnectionsAreSmall(t *testing.T) {
	const connections = 400
	n, g := newNetwork(t, Options{HostLoopback: true}, streamFrames)
	outside, inGuest := newHolder(t), g.listen(8000)
	var ends [][2]net.Conn
	for name, connect := range map[string]func() (theirs, ours net.Conn){
		"out of the guest": func() (net.Conn, net.Conn) {
			conn, err := g.dialHolder(outside)
			if err != nil {
				t.Fatal(err)
			}
			return conn, outside.last(t)
		},
		"into the guest": func() (net.Conn, net.Conn) {
			ours, theirs := tcpPair(t)
			go n.ForwardTCP(t.Context(), theirs, 8000)
			conn, err := inGuest.Accept()
			if err != nil {
				t.Fatal(err)
			}
			return conn, ours
		},
	} {
		stacks, goroutines := stackSize(), runtime.NumGoroutine()
		for range connections {
			inGuest, outside := connect()
			checkTalk(t, inGuest, outside)
			ends = append(ends, [2]net.Conn{inGuest, outside})
		}
		per := (stackSize() - stacks) / connections
		if began := runtime.NumGoroutine() - goroutines; per > maxIdleStack || began > connections+10 {
			t.Errorf("%s: each connection has a stack of %d bytes, and all %d goroutines", name, per, began)
		}
		t.Logf("%s: %d bytes of stack", name, per)
	}
	for _, end := range ends {
		end[0].Close()
		end[1].Close()
	}
}

func stackSize() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.StackInuse)
}

// tcpPair is a connection of the host's to itself.
func tcpPair(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err = net.DialTCP("tcp4", nil, l.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	if server, err = l.AcceptTCP(); err != nil {
		t.Fatal(err)
	}
	return client, server
}
