package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// guestConn is a guest's connection, below its TLS.
type guestConn struct {
	net.Conn
	session *session
	once    sync.Once
	closed  chan struct{}
}

func (c *guestConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { close(c.closed) })
	return err
}

type sessionKey struct{}

// withSession gives a connection's requests its session.
func withSession(ctx context.Context, conn net.Conn) context.Context {
	secure, ok := conn.(interface{ NetConn() net.Conn })
	if !ok {
		return ctx
	}
	if guest, ok := secure.NetConn().(*guestConn); ok {
		return context.WithValue(ctx, sessionKey{}, guest.session)
	}
	return ctx
}

// http1Conn lets a guest say that it sends no more, and wait for its answer. The
// server waits for a client's end by reading one byte while it answers, and gives
// the request up where it comes; here that waits until the answer is written.
type http1Conn struct {
	*tls.Conn
	mu      sync.Mutex
	stopped chan struct{} // closed while such a read is to return
	isOver  bool
}

func newHTTP1Conn(conn *tls.Conn) *http1Conn {
	return &http1Conn{Conn: conn, stopped: make(chan struct{})}
}

func (c *http1Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if len(p) != 1 || n > 0 || !errors.Is(err, io.EOF) {
		return n, err
	}
	c.mu.Lock()
	stopped := c.stopped
	c.mu.Unlock()
	<-stopped
	return 0, os.ErrDeadlineExceeded
}

// SetReadDeadline is how the server ends its wait.
func (c *http1Conn) SetReadDeadline(t time.Time) error {
	c.stop(!t.IsZero())
	return c.Conn.SetReadDeadline(t)
}

func (c *http1Conn) SetDeadline(t time.Time) error {
	c.stop(!t.IsZero())
	return c.Conn.SetDeadline(t)
}

func (c *http1Conn) Close() error {
	c.mu.Lock()
	c.isOver = true
	c.mu.Unlock()
	c.stop(true)
	return c.Conn.Close()
}

// stop says whether reads that wait are to return, now and later.
func (c *http1Conn) stop(now bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.stopped:
		if !now && !c.isOver {
			c.stopped = make(chan struct{})
		}
	default:
		if now {
			close(c.stopped)
		}
	}
}
