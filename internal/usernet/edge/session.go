package edge

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Upstream is the host that a guest has connected to.
type Upstream struct {
	Host string // as its TLS names it, in canonical form
	Port uint16
	// Dial connects to it, at the address that the guest chose.
	Dial func(context.Context) (net.Conn, error)
	// Note takes a line on what becomes of requests.
	Note func(format string, args ...any)
}

// session is one connection of the guest's.
type session struct {
	edge  *Edge
	to    Upstream
	proxy *httputil.ReverseProxy
	hosts *http.Transport
	fault error // why there is no host
	http2 bool  // it has one of those places

	agreed []string // what guest and host speak

	mu     sync.Mutex
	first  *tls.Conn // to the host, until it is used
	since  time.Time // it is there
	dialed map[net.Conn]bool
	ended  bool
	used   []string // the secrets that were noted
}

// errTooMany says that the guest has too many connections.
var errTooMany = errors.New("there are too many connections to hosts with secrets")

// Serve carries a guest's connection to a host that Wants is true of, from the
// beginning of its TLS, and returns when that is over. It closes guest.
func (e *Edge) Serve(ctx context.Context, guest net.Conn, to Upstream) {
	defer guest.Close()
	if !takeNow(e.sessions) {
		to.Note("denied https %q by its edge: %v", to.Host, errTooMany)
		return
	}
	defer func() { <-e.sessions }()
	s := &session{edge: e, to: to, dialed: map[net.Conn]bool{}}
	s.setProxy()
	defer s.end()
	conn := &guestConn{Conn: guest, session: s, closed: make(chan struct{})}
	shaking, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	secure := tls.Server(conn, &tls.Config{GetConfigForClient: s.meet})
	if err := secure.HandshakeContext(shaking); err != nil {
		to.Note("ended https %q: the guest's TLS: %s", to.Host, plain(err))
		return
	}
	cancel()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	var served net.Conn = secure
	if secure.ConnectionState().NegotiatedProtocol != protocol2 {
		served = newHTTP1Conn(secure)
	}
	select {
	case e.accepted <- served:
		<-conn.closed
	case <-e.closed:
	case <-ctx.Done():
	}
}

const (
	protocol1 = "http/1.1"
	protocol2 = "h2"
)

// meet connects to the host, and answers the guest as it does.
func (s *session) meet(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	cert, err := s.edge.authority.certificate(s.to.Host)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS12}
	offer := s.offer(hello.SupportedProtos)
	if len(offer) == 0 {
		s.to.Note("denied https %q by its secrets: the guest speaks %q, and no HTTP", s.to.Host, hello.SupportedProtos)
		return nil, errors.New("no HTTP")
	}
	conn, err := s.connect(hello.Context(), offer)
	if err != nil {
		s.fail(err)
		config.NextProtos = []string{offer[len(offer)-1]}
		return config, nil
	}
	s.first, s.since = conn, time.Now()
	s.agreed = []string{cmp.Or(conn.ConnectionState().NegotiatedProtocol, protocol1)}
	if s.http2 && s.agreed[0] != protocol2 {
		s.http2 = false
		<-s.edge.http2
	}
	config.NextProtos = s.agreed
	return config, nil
}

// offer is what of HTTP a guest speaks that there is room for.
func (s *session) offer(protocols []string) (offer []string) {
	if len(protocols) == 0 {
		return []string{protocol1}
	}
	if slices.Contains(protocols, protocol2) && takeNow(s.edge.http2) {
		s.http2, offer = true, []string{protocol2}
	}
	if slices.Contains(protocols, protocol1) {
		offer = append(offer, protocol1)
	}
	return offer
}

// connect connects to the host, whose certificate has to be right.
func (s *session) connect(ctx context.Context, offer []string) (*tls.Conn, error) {
	conn, err := s.to.Dial(ctx)
	if err != nil {
		return nil, err
	}
	config := s.edge.toHosts.Clone()
	config.ServerName, config.NextProtos = s.to.Host, offer
	secure := tls.Client(&hostConn{Conn: conn, session: s}, config)
	if !s.keep(conn) {
		return nil, net.ErrClosed
	}
	if err := secure.HandshakeContext(ctx); err != nil {
		secure.Close()
		return nil, err
	}
	return secure, nil
}

// fresh is how long a connection without a request is used: servers end one that
// says nothing, and emulated guests take their time.
const fresh = 2 * time.Second

// dial is connect for the transport, which the first connection is for.
func (s *session) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	s.mu.Lock()
	first := s.first
	s.first = nil
	s.mu.Unlock()
	if first != nil && time.Since(s.since) < fresh {
		return first, nil
	}
	if first != nil {
		first.Close()
	}
	return s.connect(ctx, s.agreed)
}

// keep notes a connection that the session ends with, and reports whether it has
// not ended.
func (s *session) keep(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		conn.Close()
		return false
	}
	s.dialed[conn] = true
	return true
}

func (s *session) forget(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.dialed, conn)
}

func (s *session) end() {
	s.mu.Lock()
	s.ended = true
	open := s.dialed
	s.dialed = nil
	s.mu.Unlock()
	for conn := range open {
		conn.Close()
	}
	s.hosts.CloseIdleConnections()
	if s.http2 {
		<-s.edge.http2
	}
}

// fail notes why the host cannot be spoken to.
func (s *session) fail(err error) {
	s.fault = errors.New(plain(err))
	s.to.Note("ended https %q: the host: %v", s.to.Host, s.fault)
}

// hostConn is one to the host.
type hostConn struct {
	net.Conn
	session *session
}

func (c *hostConn) Close() error {
	c.session.forget(c.Conn)
	return c.Conn.Close()
}

// plain is an error's text, of those that have none of what a host or a guest
// said: a host may have said a secret.
func plain(err error) string {
	var (
		certificate *tls.CertificateVerificationError
		alert       tls.AlertError
		op          *net.OpError
		errno       unix.Errno
	)
	switch {
	case errors.As(err, &certificate):
		return certificate.Error()
	case errors.As(err, &alert):
		return alert.Error()
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "it took too long"
	case errors.Is(err, context.Canceled), errors.Is(err, net.ErrClosed):
		return "the connection was closed"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it ended the connection"
	case errors.As(err, &op):
		return op.Op + " failed"
	}
	return fmt.Sprintf("it does not speak as was expected (%T)", err)
}
