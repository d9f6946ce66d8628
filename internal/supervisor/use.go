package supervisor

import (
	"context"
	"net"
	"sync"
	"time"

	"banger/internal/ports"
)

// use notes when a VM was last used, for its idle timeout.
type use struct {
	mu     sync.Mutex
	open   int       // sessions and connections
	latest time.Time // when there was one, or work
	poked  chan struct{}
}

// begin notes that somebody uses the VM, until end is called.
func (u *use) begin() (end func()) {
	u.add(1)
	return sync.OnceFunc(func() { u.add(-1) })
}

func (u *use) add(n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.open += n
	u.latest = time.Now()
}

// touch notes a use that is over at once.
func (u *use) touch() { u.add(0) }

// since is when the VM was used last: now, where it is.
func (u *use) since(now time.Time) time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.open > 0 {
		u.latest = now
	}
	return u.latest
}

// poke has the VM's times looked at again.
func (u *use) poke() {
	select {
	case u.poked <- struct{}{}:
	default:
	}
}

// usedGuest is a guest for connections that count as use.
type usedGuest struct {
	ports.Guest
	use *use
}

// ForwardTCP is ports.Guest's.
func (g usedGuest) ForwardTCP(ctx context.Context, conn *net.TCPConn, port uint16) error {
	defer g.use.begin()()
	return g.Guest.ForwardTCP(ctx, conn, port)
}

// DialUDP is ports.Guest's.
func (g usedGuest) DialUDP(ctx context.Context, port uint16) (net.Conn, error) {
	conn, err := g.Guest.DialUDP(ctx, port)
	if err != nil {
		return nil, err
	}
	return usedConn{conn, g.use.begin()}, nil
}

type usedConn struct {
	net.Conn
	end func()
}

func (c usedConn) Close() error {
	c.end()
	return c.Conn.Close()
}
