package usernet

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
)

const (
	dnsPort    = 53
	dnsTimeout = 3 * time.Second  // for one of the host's name servers
	dnsIdle    = 30 * time.Second // for a guest's TCP connection
	maxQueries = 128              // that wait for their answers at a time
	maxQuery   = 4096             // bytes, over UDP
)

// serveDNS answers the guest's queries at the gateway by asking the host's name
// servers, over UDP and TCP as the guest does.
func (n *Network) serveDNS() error {
	address := fullAddress(gateway, dnsPort)
	packets, err := gonet.DialUDP(n.stack, &address, nil, ipv4.ProtocolNumber)
	if err != nil {
		return err
	}
	listener, err := n.listen(dnsPort)
	if err != nil {
		packets.Close()
		return err
	}
	context.AfterFunc(n.ctx, func() {
		packets.Close()
		listener.Close()
		listener.Shutdown()
	})
	n.spawn(func() { n.serveDNSPackets(packets) })
	n.spawn(func() { n.serveDNSListener(listener) })
	return nil
}

func (n *Network) serveDNSPackets(packets net.PacketConn) {
	waiting := make(chan struct{}, maxQueries)
	for {
		query := make([]byte, maxQuery)
		size, from, err := packets.ReadFrom(query)
		if err != nil {
			return
		}
		select {
		case waiting <- struct{}{}:
		default:
			continue // the guest asks again
		}
		answered := n.spawn(func() {
			defer func() { <-waiting }()
			if reply := n.resolve(query[:size], exchangeUDP); reply != nil {
				packets.WriteTo(reply, from)
			}
		})
		if !answered {
			return
		}
	}
}

func (n *Network) serveDNSListener(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		if !n.queries.take() {
			conn.Close()
			continue
		}
		served := n.spawn(func() {
			defer n.queries.leave()
			n.serveDNSConn(conn)
		})
		if !served {
			conn.Close()
			return
		}
	}
}

func (n *Network) serveDNSConn(conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(n.ctx, func() { conn.Close() })()
	for {
		conn.SetReadDeadline(time.Now().Add(dnsIdle))
		query, err := readDNS(conn)
		if err != nil {
			return
		}
		reply := n.resolve(query, exchangeTCP)
		if reply == nil || writeDNS(conn, reply) != nil {
			return
		}
	}
}

// exchange asks one server, given with its port.
type exchange func(ctx context.Context, server string, query []byte) ([]byte, error)

func exchangeUDP(ctx context.Context, server string, query []byte) (reply []byte, err error) {
	conn, err := dialDNS(ctx, "udp", server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := conn.Write(query); err != nil {
		return nil, err
	}
	for reply == nil {
		err := receiveFromHost(conn.(*net.UDPConn), takeDatagramBuffer, readDatagram, func(datagram []byte) error {
			if answers(datagram, query) {
				reply = slices.Clone(datagram)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return reply, nil
}

func exchangeTCP(ctx context.Context, server string, query []byte) ([]byte, error) {
	conn, err := dialDNS(ctx, "tcp", server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := writeDNS(conn, query); err != nil {
		return nil, err
	}
	reply, err := readDNS(conn)
	if err == nil && !answers(reply, query) {
		err = errors.New("an answer to another question")
	}
	return reply, err
}

func dialDNS(ctx context.Context, network, server string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, network, server)
	if err == nil {
		conn.SetDeadline(time.Now().Add(dnsTimeout))
	}
	return conn, err
}

// readDNS reads a message as TCP carries it: RFC 1035, 4.2.2.
func readDNS(r io.Reader) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	message := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(r, message)
	return message, err
}

func writeDNS(w io.Writer, message []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...))
	return err
}
