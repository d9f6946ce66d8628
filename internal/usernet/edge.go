package usernet

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"banger/internal/usernet/edge"
)

// divertedError says that a connection goes on to its host by way of the edge,
// with what the guest has sent.
type divertedError struct {
	to   netip.AddrPort
	host string
	data []byte
}

func (*divertedError) Error() string { return "diverted" }

// divert returns a *divertedError where a connection's TLS names a host that has a
// secret. The address has to be one that the guest was given for it.
func (n *Network) divert(to netip.AddrPort, name string) error {
	if !n.options.Edge.Wants(name, to.Port()) {
		return nil
	}
	if !slices.Contains(n.secrets.of(to.Addr()), name) {
		n.note("denied tcp %s [] by its secrets: TLS for %q, which does not have that address", to, name)
		return errDenied
	}
	return &divertedError{to: to, host: name}
}

// serveEdge carries a connection by way of the edge to its end.
func (n *Network) serveEdge(s *stream, d *divertedError) {
	s.outside.SetReadDeadline(time.Time{})
	first := net.Conn(s.outside)
	n.options.Edge.Serve(n.ctx, &divertedConn{Conn: s.inside, stream: s, first: d.data}, edge.Upstream{
		Host: d.host, Port: d.to.Port(), Note: n.note,
		Dial: func(ctx context.Context) (net.Conn, error) {
			if first != nil {
				conn := first
				first = nil
				return conn, nil
			}
			return n.dialAgain(ctx, d)
		},
	})
}

// dialAgain opens one more connection to a host that the guest has one to. It
// counts as the guest's.
func (n *Network) dialAgain(ctx context.Context, d *divertedError) (net.Conn, error) {
	address, ok := n.outside(d.to.Addr())
	if !ok || d.to.Addr() != host && !n.policy().Connection(d.to, []string{d.host}).Allowed {
		return nil, errDenied
	}
	grant := n.quota.admit()
	if grant == nil {
		return nil, errTooMany
	}
	conn, err := n.dial(ctx, netip.AddrPortFrom(address, d.to.Port()))
	if err != nil {
		grant.release()
		return nil, err
	}
	return &grantedConn{Conn: conn, release: sync.OnceFunc(grant.release)}, nil
}

// divertedConn is the guest's side of a connection whose beginning has been read.
type divertedConn struct {
	net.Conn
	stream *stream
	first  []byte
}

// manyRecords is so much more than one record of TLS, which is all that is written
// at once, as lets a window grow to what a fast connection needs.
const manyRecords = 8

func (c *divertedConn) Read(p []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	n, err := c.Conn.Read(p)
	c.stream.used(manyRecords * n)
	return n, err
}

func (c *divertedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.stream.used(manyRecords * n)
	return n, err
}

// grantedConn gives its part of the quota back when it is closed.
type grantedConn struct {
	net.Conn
	release func() // once
}

func (c *grantedConn) Close() error {
	c.release()
	return c.Conn.Close()
}

// plain looks for placeholders in what a guest sends without TLS.
type plain struct {
	network *Network
	to      netip.AddrPort
	scanner *edge.Scanner
}

func (n *Network) plain(to netip.AddrPort) *plain {
	if n.options.Edge == nil {
		return nil
	}
	return &plain{n, to, n.options.Edge.Scanner()}
}

// look returns errDenied where there is one.
func (p *plain) look(data []byte) error {
	if p == nil {
		return nil
	}
	name := p.scanner.Find(data)
	if name == "" {
		return nil
	}
	p.network.note("denied tcp %s by secret %s: it would go there without TLS", p.to, name)
	return errDenied
}
