package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"time"

	"banger/internal/usernet"
	"banger/internal/usernet/peers"
)

// Two guests, by banger on a network of theirs; the rivals' reach each other by the
// port of the host that leads to the one that serves.
const (
	serverPlace = "10.210.0.2/24"
	clientPlace = "10.210.0.3/24"
)

// carryBetween boots two guests by the cable and measures what goes through a port of
// the host into one, and between them.
func (h handmade) carryBetween(ctx context.Context, c cable, f *figures) error {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	port, err := freePort()
	if err != nil {
		return err
	}
	if err := h.setInit(c.script(listener.Addr().(*net.TCPAddr).Port)); err != nil {
		return err
	}
	at, peer := wall{dir: h.dir, port: port}, fmt.Sprintf("%s:%d", c.host, port)
	if c.isOurs() {
		at.place, peer = h.place(serverPlace), fmt.Sprintf("%s:%d", netip.MustParsePrefix(serverPlace).Addr(), servedPort)
	}
	server, err := h.boot(ctx, c, at, "server", listener)
	if err != nil {
		return err
	}
	defer server.end()
	if _, err := heard(listener); err != nil {
		return server.failed(err)
	}
	if err := guestPort(fmt.Sprintf("%s:%d", hostLoopback, port)).measure(f); err != nil {
		return server.failed(err)
	}
	at = wall{dir: h.dir, mac: net.HardwareAddr{2, 0, 0, 0, 0, 3}}
	if c.isOurs() {
		at.place = h.place(clientPlace)
	}
	client, err := h.boot(ctx, c, at, "client,"+peer, listener)
	if err != nil {
		return err
	}
	defer client.end()
	line, err := heard(listener)
	if err == nil {
		err = f.addBetween(line)
	}
	if err != nil {
		return client.failed(err)
	}
	return nil
}

// heard is the line that a guest says when it has done its part.
func heard(listener net.Listener) (string, error) {
	conn, err := listener.Accept()
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return bufio.NewReader(conn).ReadString('\n')
}

// freePort is one of the host's loopback that nobody has now.
func freePort() (uint16, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return uint16(listener.Addr().(*net.TCPAddr).Port), nil
}

// fewRequests are enough to tell rivals apart.
const fewRequests = 20

// measure adds what goes through a port to the figures.
func (p guestPort) measure(f *figures) error {
	in, err := p.give()
	if err != nil {
		return err
	}
	out, err := p.take()
	if err != nil {
		return err
	}
	f.portIn, f.portOut = append(f.portIn, in), append(f.portOut, out)
	for range fewRequests {
		took, err := p.askAnew()
		if err != nil {
			return err
		}
		f.ask = append(f.ask, took)
	}
	return nil
}

// addBetween reads what a client says of how long both ways took, in seconds.
func (f *figures) addBetween(line string) error {
	var there, back float64
	if _, err := fmt.Sscan(line, &there, &back); err != nil {
		return fmt.Errorf("between guests: %w: %q", err, line)
	}
	f.there, f.back = append(f.there, time.Duration(there*1e9)), append(f.back, time.Duration(back*1e9))
	return nil
}

func (c cable) isOurs() bool { return c.name == "banger" }

// place is a guest's place on the network of the two.
func (h handmade) place(address string) *usernet.Place {
	at := netip.MustParsePrefix(address)
	return &usernet.Place{Network: "bench", Address: at, Directory: couple{h.dir, at.Addr()}}
}

// couple is the directory of the two, whose names are their addresses.
type couple struct {
	dir string
	own netip.Addr
}

func (c couple) socket(name string) string { return filepath.Join(c.dir, name+".sock") }

func (c couple) Listen() (net.Listener, error) {
	return net.Listen("unixpacket", c.socket(c.own.String()))
}

func (c couple) Dial(ctx context.Context, name string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unixpacket", c.socket(name))
}

func (c couple) ByName(name string) (peers.Member, bool) {
	a, err := netip.ParseAddr(name)
	return peers.Member{Name: name, Address: a, Up: true}, err == nil
}

func (c couple) ByAddress(a netip.Addr) (peers.Member, bool) {
	return peers.Member{Name: a.String(), Address: a, Up: true}, true
}

func (c couple) IsSupervisor(int, string) bool { return true } // both are this process
