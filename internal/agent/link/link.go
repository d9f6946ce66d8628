// Package link is the connection of many streams between a guest's agent and
// its supervisor. The agent opens it and the host opens the streams; none of it
// is enciphered, for it crosses no wire.
//
// Who opens a link proves by a secret of the VM's that it is the agent: any
// process of the guest can connect. What comes over a link is taken for hostile
// all the same, and all that is kept of it has a bound. A guest opens no stream
// towards the host.
package link

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/libp2p/go-yamux/v5"
)

// greeting begins every link; a proof follows.
const greeting = "banger link 1\n"

// ErrStranger says that somebody else than the agent opened a link.
var ErrStranger = errors.New("not the guest's agent")

// Secret is what the agent proves itself by. Who has the guest's SSH host key
// has it too.
func Secret(hostKeyPEM []byte) []byte {
	mac := hmac.New(sha256.New, hostKeyPEM)
	io.WriteString(mac, greeting)
	return mac.Sum(nil)
}

const (
	streamWindow = 256 << 10        // bytes under way on a stream, the least that the protocol has
	maxStreams   = 1024             // of the host's at a time, as the guest takes them
	stalled      = 10 * time.Minute // for one who takes nothing: a VM may be paused meanwhile
	never        = 1000 * time.Hour
)

// Link is one side of a link.
type Link struct{ session *yamux.Session }

// Offer opens the agent's side of a link over conn.
func Offer(conn net.Conn, secret []byte) (*Link, error) {
	if _, err := conn.Write(append([]byte(greeting), secret...)); err != nil {
		return nil, fmt.Errorf("open the link: %w", err)
	}
	return newLink(conn, maxStreams, yamux.Server)
}

// Accept opens the host's side over conn. Its error is ErrStranger, wrapped, where
// what conn leads to does not know the secret, or does not say so within the time.
// The caller closes conn where there is an error.
func Accept(conn net.Conn, secret []byte, within time.Duration) (*Link, error) {
	if err := meet(conn, append([]byte(greeting), secret...), within); err != nil {
		return nil, err
	}
	return newLink(conn, 0, yamux.Client)
}

// meet reads what conn leads to has to say.
func meet(conn net.Conn, want []byte, within time.Duration) error {
	got := make([]byte, len(want))
	conn.SetReadDeadline(time.Now().Add(within))
	if _, err := io.ReadFull(conn, got); err != nil {
		return fmt.Errorf("%w: %w", ErrStranger, err)
	}
	if !hmac.Equal(got, want) {
		return ErrStranger
	}
	return conn.SetReadDeadline(time.Time{})
}

type opener = func(net.Conn, *yamux.Config, func() (yamux.MemoryManager, error)) (*yamux.Session, error)

func newLink(conn net.Conn, incoming uint32, open opener) (*Link, error) {
	config := yamux.DefaultConfig()
	config.MaxIncomingStreams = incoming
	config.InitialStreamWindowSize, config.MaxStreamWindowSize = streamWindow, streamWindow
	config.ConnectionWriteTimeout = stalled
	// TCP tells of an agent that is gone; nobody is to be woken for more.
	config.EnableKeepAlive, config.MeasureRTTInterval = false, never
	config.LogOutput = io.Discard // a guest could fill it
	session, err := open(conn, config, nil)
	if err != nil {
		return nil, fmt.Errorf("open the link: %w", err)
	}
	return &Link{session}, nil
}

// Stream is one stream of a link.
type Stream = yamux.Stream

// Open opens a stream to the agent.
func (l *Link) Open(ctx context.Context) (*Stream, error) {
	stream, err := l.session.OpenStream(ctx)
	if err != nil {
		return nil, fmt.Errorf("open a stream to the guest: %w", err)
	}
	return stream, nil
}

// Next waits for the host's next stream.
func (l *Link) Next() (*Stream, error) { return l.session.AcceptStream() }

// Done is closed when the link has ended.
func (l *Link) Done() <-chan struct{} { return l.session.CloseChan() }

// Close ends the link and all its streams.
func (l *Link) Close() error { return l.session.Close() }
