// Package reach connects the supervisor to servers on the guest's loopback,
// which no packet from outside can reach.
package reach

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"banger/internal/agentapi"
)

const (
	maxConns = 2048
	timeout  = 10 * time.Second // for the supervisor's request
)

// Serve answers the supervisor, and nobody else, until listener is closed.
func Serve(listener net.Listener) {
	open := make(chan struct{}, maxConns)
	for {
		open <- struct{}{}
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { <-open }()
			defer conn.Close()
			if from, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil && from.Addr().String() == agentapi.GatewayIP {
				serve(conn)
			}
		}()
	}
}

// serve reads a port, answers whether it could be reached, and joins it.
func serve(conn net.Conn) {
	var port [2]byte
	conn.SetDeadline(time.Now().Add(timeout))
	if _, err := io.ReadFull(conn, port[:]); err != nil {
		return
	}
	number := binary.BigEndian.Uint16(port[:])
	if number == 0 {
		serveDatagrams(conn)
		return
	}
	server, err := dial(strconv.Itoa(int(number)))
	if err != nil {
		conn.Write([]byte{agentapi.ReachRefused})
		return
	}
	defer server.Close()
	if _, err := conn.Write([]byte{agentapi.ReachConnected}); err != nil {
		return
	}
	conn.SetDeadline(time.Time{})
	join(conn, server)
}

// dial tries both loopbacks.
func dial(port string) (conn net.Conn, err error) {
	for _, address := range []string{"127.0.0.1", "::1"} {
		conn, err = net.DialTimeout("tcp", net.JoinHostPort(address, port), timeout)
		if err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// join copies both ways and passes on the end of each; where one way breaks,
// the other does too.
func join(a, b net.Conn) {
	var copies sync.WaitGroup
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		copies.Go(func() {
			if _, err := io.Copy(way[0], way[1]); err != nil {
				abort(a)
				abort(b)
				return
			}
			way[0].(interface{ CloseWrite() error }).CloseWrite()
		})
	}
	copies.Wait()
}

// abort resets a connection.
func abort(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}
