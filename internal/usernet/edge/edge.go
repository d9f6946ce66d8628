// Package edge carries the HTTP of a guest to hosts that a secret is for: it ends
// the guest's TLS by a certificate of the VM's own authority, puts the secret in
// place of the placeholder that the guest has, and speaks TLS to the host.
//
// A secret goes to its hosts alone, whose certificates the host's roots vouch for,
// and only within TLS, in headers, Basic credentials and the query. Bodies pass as
// they are. The value is in no error, no note and no answer's header; what a host
// says in a body is not looked at.
package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"banger/internal/secret"
)

// What a guest can have kept here. Each connection is one of the network's too,
// which counts them as well.
const (
	maxSessions = 512 // connections of the guest's at a time
	maxHTTP2    = 24  // of them that speak HTTP/2: others are offered HTTP/1 only
	maxRequests = 256 // under way
	maxStreams  = 32  // of one connection by HTTP/2
	maxDials    = 16  // connections to the host for one of the guest's

	maxHeader       = 32 << 10  // bytes of a request's
	maxAnswerHeader = 128 << 10 // and of an answer's
	maxUpload       = 1 << 20   // that wait for the host, of a connection by HTTP/2
	maxDownload     = 1 << 20   // that wait for the guest, of the same
	copySize        = 16 << 10

	handshakeTime = 60 * time.Second // emulated guests take long
	headerTime    = 60 * time.Second
	idleTime      = 2 * time.Minute
	idleHostTime  = 30 * time.Second
	continueTime  = time.Second
)

// Options say what an edge has.
type Options struct {
	Authority *Authority
	Secrets   []secret.Secret
	Values    secret.Values
	// Placeholders are what the guest has, by the secrets' names.
	Placeholders map[string]string
	// Roots vouch for hosts; nil is the system's.
	Roots *x509.CertPool
}

// held is what an edge has of secrets at a time.
type held struct {
	secrets []secret.Secret
	swaps   map[string]swap // by the secrets' names
	scanned patterns
}

// Edge is a VM's. It may be used by several goroutines.
type Edge struct {
	authority    *Authority
	placeholders map[string]string
	held         atomic.Pointer[held]
	toHosts      *tls.Config

	server   *http.Server
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once

	sessions, http2, requests chan struct{} // as full as there are
	buffers                   sync.Pool
}

// New returns an edge. The caller must Close it.
func New(o Options) *Edge {
	e := &Edge{
		authority: o.Authority, placeholders: o.Placeholders,
		toHosts: &tls.Config{
			RootCAs: o.Roots, MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(64),
		},
		accepted: make(chan net.Conn), closed: make(chan struct{}),
		sessions: make(chan struct{}, maxSessions), http2: make(chan struct{}, maxHTTP2), requests: make(chan struct{}, maxRequests),
	}
	e.hold(o.Secrets, o.Values)
	e.server = &http.Server{
		Handler: http.HandlerFunc(e.serveHTTP), ErrorLog: log.New(io.Discard, "", 0),
		ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		ConnContext: withSession, Protocols: new(http.Protocols),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxStreams,
			MaxReceiveBufferPerConnection: maxUpload, MaxReceiveBufferPerStream: maxUpload,
		},
	}
	e.server.Protocols.SetHTTP1(true)
	e.server.Protocols.SetHTTP2(true)
	go e.server.Serve(listener{e})
	return e
}

// Change replaces the secrets that the edge gives, from the next request on. Some have to
// wait for another edge: the guest has no placeholder for them, or trusts no authority for
// their hosts. whole reports whether there are none of those.
func (e *Edge) Change(secrets []secret.Secret, values secret.Values) (whole bool) {
	var now []secret.Secret
	for _, s := range secrets {
		if e.placeholders[s.Name] != "" && e.authority.vouchesFor(s) {
			now = append(now, s)
		}
	}
	e.hold(now, values)
	return len(now) == len(secrets)
}

func (e *Edge) hold(secrets []secret.Secret, values secret.Values) {
	h := &held{secrets: secrets, swaps: map[string]swap{}}
	for _, s := range secrets {
		h.swaps[s.Name] = swap{name: s.Name, placeholder: e.placeholders[s.Name], value: values[s.Name].Reveal()}
		h.scanned.add(s.Name, e.placeholders[s.Name])
	}
	e.held.Store(h)
}

// Wants reports whether connections to a port of a host, whose name is in its
// canonical form, are for Serve.
func (e *Edge) Wants(host string, port uint16) bool {
	return e != nil && len(secret.For(e.held.Load().secrets, host, port)) > 0
}

// Knows reports whether a host has a secret at any port.
func (e *Edge) Knows(host string) bool {
	if e == nil {
		return false
	}
	for _, s := range e.held.Load().secrets {
		for _, h := range s.Hosts {
			if h.MatchesName(host) {
				return true
			}
		}
	}
	return false
}

// Close ends all connections.
func (e *Edge) Close() {
	e.once.Do(func() { close(e.closed) })
	e.server.Close()
}

// forHost returns what is put in at a host, and what must not go there.
func (e *Edge) forHost(host string, port uint16) (s swaps) {
	now := e.held.Load()
	mine := map[string]bool{}
	for _, own := range secret.For(now.secrets, host, port) {
		mine[own.Name] = true
	}
	for _, each := range now.secrets {
		if mine[each.Name] {
			s.own = append(s.own, now.swaps[each.Name])
		} else {
			s.foreign = append(s.foreign, now.swaps[each.Name])
		}
	}
	return s
}

// take waits for a place, or for ctx to end, and reports whether there is one.
func take(ctx context.Context, places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// takeNow is take without waiting.
func takeNow(places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	default:
		return false
	}
}
