package reach

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"banger/internal/agentapi"
	"banger/internal/format/datagram"
	"banger/internal/guest/sockets"
)

// serveDatagrams is serve for a port of UDP, once that is known.
func serveDatagrams(conn net.Conn) {
	var port [2]byte
	if _, err := io.ReadFull(conn, port[:]); err != nil {
		return
	}
	server, err := dialDatagrams(binary.BigEndian.Uint16(port[:]))
	if err != nil || server == nil {
		conn.Write([]byte{agentapi.ReachRefused})
		return
	}
	defer server.Close()
	if _, err := conn.Write([]byte{agentapi.ReachConnected}); err != nil {
		return
	}
	conn.SetDeadline(time.Time{})
	joinDatagrams(conn, server)
}

// dialDatagrams connects to a port that programs receive at on an address which no
// packet from outside reaches. It returns nil where there is none, or another.
func dialDatagrams(port uint16) (net.Conn, error) {
	at, ok := hidden(sockets.Datagrams("/proc", port))
	if !ok {
		return nil, nil
	}
	return net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, port)))
}

// hidden chooses of the addresses that a port is received at, where that of the card
// is not among them.
func hidden(addresses []netip.Addr) (best netip.Addr, ok bool) {
	card := netip.MustParseAddr(agentapi.GuestIP)
	slices.SortFunc(addresses, func(a, b netip.Addr) int { return a.Unmap().Compare(b.Unmap()) })
	for _, a := range addresses {
		a = a.Unmap()
		switch {
		case a.IsUnspecified() || a == card:
			return netip.Addr{}, false
		case a.IsMulticast() || a.IsLinkLocalUnicast():
		case !best.IsValid() || a.IsLoopback() && !best.IsLoopback():
			best = a
		}
	}
	return best, best.IsValid()
}

// joinDatagrams carries both ways until either ends, as a socket does of which nobody
// receives any more.
func joinDatagrams(conn, server net.Conn) {
	stream := datagram.New(conn)
	var copies sync.WaitGroup
	for _, way := range [][2]io.ReadWriter{{stream, server}, {server, stream}} {
		copies.Go(func() {
			defer conn.Close()
			defer server.Close()
			buf := make([]byte, datagram.Max)
			for {
				n, err := way[1].Read(buf)
				if err != nil {
					return
				}
				if _, err := way[0].Write(buf[:n]); err != nil {
					return
				}
			}
		})
	}
	copies.Wait()
}
