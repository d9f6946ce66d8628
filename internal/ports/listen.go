package ports

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Guest is what ports lead to.
type Guest interface {
	// ForwardTCP carries a connection to a port of the guest until it has ended,
	// and closes it. The error is why it could not be.
	ForwardTCP(ctx context.Context, conn *net.TCPConn, port uint16) error
	// DialUDP returns a socket that is connected to a port of the guest, of which
	// reading fails once nobody receives there.
	DialUDP(ctx context.Context, port uint16) (net.Conn, error)
}

// maxConns is how many connections a port has at a time, beside what the host's
// kernel lets wait.
const maxConns = 2048

// Listener is an open port of the host.
type Listener struct {
	spec   Spec
	guest  func() (Guest, error)
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// TakenError says that a port of the host is in use.
type TakenError struct {
	Spec Spec
	By   string // who has it, or ""
}

func (e *TakenError) Error() string {
	msg := fmt.Sprintf("port %s of the host is taken", e.Spec.Host())
	if e.By != "" {
		msg += " by " + e.By
	}
	return msg
}

// Listen opens a port. guest is asked for at each connection: it comes and goes.
func Listen(s Spec, guest func() (Guest, error)) (*Listener, error) {
	l, err := ListenQuietly(s, guest)
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, &TakenError{Spec: s, By: holder(s)}
	}
	return l, err
}

// ListenQuietly is Listen for who does not ask who has a port that is taken, which
// takes a while to find out.
func ListenQuietly(s Spec, guest func() (Guest, error)) (*Listener, error) {
	l := &Listener{spec: s, guest: guest}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	open := l.listenTCP
	if s.Protocol == UDP {
		open = l.listenUDP
	}
	if err := open(); err != nil {
		l.cancel()
		return nil, fmt.Errorf("open port %s of the host: %w", s.Host(), err)
	}
	return l, nil
}

// Spec is what was asked for, with the port that is open.
func (l *Listener) Spec() Spec { return l.spec }

// Close closes the port, ends what goes over it, and returns when it has ended.
func (l *Listener) Close() {
	l.cancel()
	l.work.Wait()
}

func (l *Listener) listenTCP() error {
	listener, err := net.ListenTCP(l.spec.network(), net.TCPAddrFromAddrPort(l.spec.Host()))
	if err != nil {
		return err
	}
	l.spec = l.spec.with(listener.Addr())
	context.AfterFunc(l.ctx, func() { listener.Close() })
	l.work.Go(func() { l.accept(listener) })
	return nil
}

func (l *Listener) accept(listener *net.TCPListener) {
	open := make(chan struct{}, maxConns)
	for {
		select {
		case open <- struct{}{}:
		case <-l.ctx.Done():
			return
		}
		conn, err := listener.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // of the connection, or of this process's limits
			<-open
			l.pause()
			continue
		}
		l.work.Go(func() {
			defer func() { <-open }()
			l.carry(conn)
		})
	}
}

// pause lets connections end where there is room for no more.
func (l *Listener) pause() {
	select {
	case <-time.After(100 * time.Millisecond):
	case <-l.ctx.Done():
	}
}

// carry joins a connection to the guest, and resets one that the guest refuses.
func (l *Listener) carry(conn *net.TCPConn) {
	defer context.AfterFunc(l.ctx, func() { conn.Close() })()
	guest, err := l.guest()
	if err == nil {
		err = guest.ForwardTCP(l.ctx, conn, l.spec.GuestPort)
	}
	if err != nil {
		conn.SetLinger(0)
		conn.Close()
	}
}
