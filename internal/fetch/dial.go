package fetch

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// dial connects to what is no link-local address, and to no private one where a
// public server led there. It looks at the address that a name led to, so that
// no name gets around it.
func (t *Transport) dial(ctx context.Context, network, address string) (net.Conn, error) {
	public, _ := ctx.Value(publicKey{}).(bool)
	d := net.Dialer{Timeout: dialTimeout, Control: func(_, to string, _ syscall.RawConn) error {
		return t.checkAddress(to, public)
	}}
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if to, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
		t.near.Store(address, t.private(to.Addr().Unmap()))
	}
	return watched{c}, nil
}

func (t *Transport) checkAddress(address string, public bool) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return permanent{err}
	}
	switch ip := to.Addr().Unmap(); {
	case ip.IsLinkLocalUnicast():
		return refuseAddress(ip, "link-local")
	case public && t.private(ip):
		return refuseAddress(ip, "private")
	}
	return nil
}

func refuseAddress(ip netip.Addr, kind string) error {
	return permanent{fmt.Errorf("refused to connect to the %s address %s", kind, ip)}
}

// watched is a connection whose reads end when nothing comes.
type watched struct{ net.Conn }

func (w watched) Read(p []byte) (int, error) {
	if err := w.SetReadDeadline(time.Now().Add(silence)); err != nil {
		return 0, err
	}
	return w.Conn.Read(p)
}
