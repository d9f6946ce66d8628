package usernet

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"

	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"banger/internal/format/datagram"
)

// DialUDP returns a socket that is connected to a port of the guest; a server that
// receives on the guest's loopback only is reached through the agent. Reading it
// fails once the guest says that nobody receives there.
func (n *Network) DialUDP(ctx context.Context, port uint16) (net.Conn, error) {
	// What nobody receives is not always told: the agent is asked first.
	conn, err := n.reachUDP(ctx, port)
	if err != nil {
		conn, err = n.dialUDP(port)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to the guest: %w", err)
	}
	return guestConn{conn, context.AfterFunc(n.ctx, func() { conn.Close() })}, nil
}

// guestConn is a connection that ends with the network.
type guestConn struct {
	net.Conn
	stop func() bool
}

func (c guestConn) Close() error {
	c.stop()
	return c.Conn.Close()
}

// tunnel is datagrams over a connection to the agent.
type tunnel struct {
	net.Conn
	datagrams *datagram.Stream
}

func (t tunnel) Read(buf []byte) (int, error)   { return t.datagrams.Read(buf) }
func (t tunnel) Write(data []byte) (int, error) { return t.datagrams.Write(data) }

// reachUDP has the agent connect to a port of the guest's loopback.
func (n *Network) reachUDP(ctx context.Context, port uint16) (net.Conn, error) {
	queue := new(waiter.Queue)
	endpoint, err := n.askAgent(ctx, queue, binary.BigEndian.AppendUint16([]byte{0, 0}, port))
	if err != nil {
		return nil, err
	}
	conn := gonet.NewTCPConn(queue, endpoint)
	return tunnel{conn, datagram.New(conn)}, nil
}

// dialUDP connects to a port at the guest's address.
func (n *Network) dialUDP(port uint16) (net.Conn, error) {
	queue := new(waiter.Queue)
	endpoint, stackErr := n.stack.NewEndpoint(udp.ProtocolNumber, ipv4.ProtocolNumber, queue)
	if stackErr != nil {
		return nil, stackError(stackErr)
	}
	if stackErr = endpoint.Bind(fullAddress(gateway, 0)); stackErr == nil {
		stackErr = endpoint.Connect(fullAddress(guest, port))
	}
	if stackErr != nil {
		endpoint.Close()
		return nil, stackError(stackErr)
	}
	conn := gonet.NewUDPConn(queue, endpoint)
	// Its Read sleeps through errors.
	entry := waiter.NewFunctionEntry(waiter.EventErr, func(waiter.EventMask) { go conn.Close() })
	queue.EventRegister(&entry)
	return conn, nil
}
