// Package sshd is the guest's SSH server: sessions, file transfer and port
// forwarding for one client, the host, that is known by its key.
//
// It never asks for a password, and runs nothing as another user than the
// client named. banger's own commands do without it: they use the link.
package sshd

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"banger/internal/guest/session"
)

// Config is what a Server needs to know.
type Config struct {
	HostKey       []byte // PEM
	AuthorizedKey []byte // the client's, as a line of authorized_keys
	Sessions      *session.Sessions
	// RunDir is where sockets of sessions are put. It is made where absent.
	RunDir string
}

// Server serves SSH.
type Server struct {
	config   *ssh.ServerConfig
	sessions *session.Sessions
	runDir   string
}

// handshakeTimeout is for a client that says nothing. Emulated processors need
// a while for their part.
const handshakeTimeout = time.Minute

// New makes a server.
func New(c Config) (*Server, error) {
	hostKey, err := ssh.ParsePrivateKey(c.HostKey)
	if err != nil {
		return nil, fmt.Errorf("parse the host key: %w", err)
	}
	client, _, _, _, err := ssh.ParseAuthorizedKey(c.AuthorizedKey)
	if err != nil {
		return nil, fmt.Errorf("parse the authorized key: %w", err)
	}
	config := &ssh.ServerConfig{
		// Of others OpenSSH's client believes that they do not understand it where it
		// says that nobody reads a program's output any more.
		ServerVersion:     "SSH-2.0-OpenSSH_9.9 banger",
		PublicKeyCallback: allow(client),
	}
	config.AddHostKey(hostKey)
	// All that is safe: clients choose, and paramiko, libssh2 and others know little
	// of what OpenSSH prefers.
	safe := ssh.SupportedAlgorithms()
	config.KeyExchanges, config.Ciphers, config.MACs = safe.KeyExchanges, safe.Ciphers, safe.MACs
	return &Server{config: config, sessions: c.Sessions, runDir: c.RunDir}, nil
}

// allow accepts client as any user: sessions tell of one that is not there.
func allow(client ssh.PublicKey) func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) {
	return func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if subtle.ConstantTimeCompare(client.Marshal(), key.Marshal()) == 0 {
			return nil, errors.New("unknown key")
		}
		return nil, nil
	}
}

// Serve serves what listener accepts until it fails. The server is made when the
// first client comes, and again where the keys of current are others.
func Serve(listener net.Listener, current func() Config) error {
	var made latest
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			s, err := made.server(current())
			if err != nil {
				conn.Close()
				return
			}
			s.serveConn(conn)
		}()
	}
}

// latest is the server that was made last.
type latest struct {
	mu   sync.Mutex
	of   Config
	made *Server
}

func (l *latest) server(c Config) (*Server, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.made != nil && bytes.Equal(l.of.HostKey, c.HostKey) && bytes.Equal(l.of.AuthorizedKey, c.AuthorizedKey) {
		return l.made, nil
	}
	s, err := New(c)
	if err == nil {
		l.of, l.made = c, s
	}
	return s, err
}

func (s *Server) serveConn(raw net.Conn) {
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(handshakeTimeout))
	conn, channels, requests, err := ssh.NewServerConn(raw, s.config)
	if err != nil {
		return // the client was told why
	}
	raw.SetDeadline(time.Time{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	forwards := newForwards(conn)
	defer forwards.closeAll()
	go forwards.serve(requests)
	for channel := range channels {
		switch channel.ChannelType() {
		case "session":
			go s.serveSession(ctx, conn, channel)
		case "direct-tcpip":
			go forwardToPort(ctx, channel)
		case "direct-streamlocal@openssh.com":
			go forwardToSocket(ctx, channel)
		default:
			channel.Reject(ssh.UnknownChannelType, "no such channel type")
		}
	}
}
