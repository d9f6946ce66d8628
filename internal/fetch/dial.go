package fetch

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// silence is how long a connection may give nothing while it is read.
const silence = time.Minute

// dial connects to what is no link-local address. It looks at the address that
// a name led to, so that no name and no redirect gets around it.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 20 * time.Second, Control: refuseLinkLocal}
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return watched{c}, nil
}

func refuseLinkLocal(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return permanent{err}
	}
	if ip := to.Addr().Unmap(); ip.IsLinkLocalUnicast() {
		return permanent{fmt.Errorf("refused to connect to the link-local address %s", ip)}
	}
	return nil
}

// watched is a connection whose reads end when nothing comes.
type watched struct{ net.Conn }

func (w watched) Read(p []byte) (int, error) {
	if err := w.SetReadDeadline(time.Now().Add(silence)); err != nil {
		return 0, err
	}
	return w.Conn.Read(p)
}
