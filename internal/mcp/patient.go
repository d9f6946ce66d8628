package mcp

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/sys/unix"
)

// patient is a transport whose client may hang up before it is answered: what has been
// asked for is done and answered first, unless nobody reads that.
type patient struct {
	sdk.Transport
	gone <-chan struct{} // nobody reads answers any more
}

// Connect is of sdk.Transport.
func (p patient) Connect(ctx context.Context) (sdk.Connection, error) {
	conn, err := p.Transport.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &patientConn{Connection: conn, gone: p.gone, closed: make(chan struct{}), answered: make(chan struct{}, 1)}, nil
}

type patientConn struct {
	sdk.Connection
	gone     <-chan struct{}
	closed   chan struct{}
	closing  sync.Once
	answered chan struct{} // has a token where owed fell

	mu   sync.Mutex
	owed int // answers
}

// Read delays the end of the input until the answers have been sent.
func (c *patientConn) Read(ctx context.Context) (jsonrpc.Message, error) {
	m, err := c.Connection.Read(ctx)
	if r, is := m.(*jsonrpc.Request); is && r.IsCall() {
		c.add(1)
	}
	for errors.Is(err, io.EOF) && c.add(0) > 0 {
		select {
		case <-c.answered:
			continue
		case <-c.gone:
		case <-c.closed:
		case <-ctx.Done():
		}
		break
	}
	return m, err
}

func (c *patientConn) Write(ctx context.Context, m jsonrpc.Message) error {
	err := c.Connection.Write(ctx, m)
	if _, is := m.(*jsonrpc.Response); is {
		c.add(-1)
		select {
		case c.answered <- struct{}{}:
		default:
		}
	}
	return err
}

func (c *patientConn) add(n int) (owed int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owed += n
	return c.owed
}

func (c *patientConn) Close() error {
	c.closing.Do(func() { close(c.closed) })
	return c.Connection.Close()
}

// unread is closed when nobody reads what is written to a pipe or a socket any more.
func unread(f *os.File) <-chan struct{} {
	gone := make(chan struct{})
	go func() {
		fds := []unix.PollFd{{Fd: int32(f.Fd())}} // errors and hang-ups are told in any case
		for {
			n, err := unix.Poll(fds, -1)
			if err == nil && n > 0 {
				close(gone)
				return
			}
			if err != nil && !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}()
	return gone
}
