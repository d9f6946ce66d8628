package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"
)

// The deadlines of a request's stages. There is none on the whole: files may be
// large and lines slow.
const (
	dialTimeout   = 20 * time.Second
	tlsTimeout    = 20 * time.Second
	answerTimeout = 30 * time.Second
	silence       = time.Minute      // between two bytes
	quiet         = 10 * time.Second // after which it is said that nothing comes
)

// Transport carries requests, to share: it heeds the proxy variables and gives
// up on servers that do not answer, fall silent or trickle. It never connects to
// a link-local address, where clouds keep credentials, and does not let a public
// server lead it to this machine or its network.
type Transport struct {
	*http.Transport
	// Say is told where nothing comes, or is nil. It is called while a request
	// or a body is waited for, by one goroutine at a time for each.
	Say func(string)

	private func(netip.Addr) bool
	window  time.Duration // see pace
	quiet   time.Duration
	near    sync.Map // host:port that was connected to -> whether that is private
}

// NewTransport returns a transport.
func NewTransport() *Transport {
	t := &Transport{private: isPrivate, window: paceWindow, quiet: quiet}
	t.Transport = &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           t.dial,
		TLSHandshakeTimeout:   tlsTimeout,
		ResponseHeaderTimeout: answerTimeout,
		DisableCompression:    true, // a bundle's bytes as they are
		ForceAttemptHTTP2:     true,
		ReadBufferSize:        64 << 10,
	}
	return t
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	from, led := req.Context().Value(ledKey{}).(*url.URL)
	if redirect := req.Response; redirect != nil && redirect.Request != nil {
		from, led = redirect.Request.URL, true
	}
	ctx := context.WithValue(req.Context(), publicKey{}, led && !t.isNear(from))
	if err := t.checkHost(req.URL.Hostname(), led && !t.isNear(from)); err != nil {
		return nil, err
	}
	waiting := t.wait(req.URL.Hostname())
	resp, err := t.Transport.RoundTrip(req.WithContext(ctx))
	waiting.end()
	if err != nil {
		return nil, explainWait(req.URL.Hostname(), err)
	}
	resp.Request = req // with the caller's context
	resp.Body = &pace{ReadCloser: resp.Body, transport: t, host: req.URL.Hostname()}
	return resp, nil
}

type (
	ledKey    struct{} // the *url.URL of the server that named where to go
	publicKey struct{} // whether a server elsewhere did
)

// LedBy returns a context for requests to where the answer of a server said, such
// as for a token: they go no further than redirects would.
func LedBy(ctx context.Context, server *url.URL) context.Context {
	return context.WithValue(ctx, ledKey{}, server)
}

// isNear reports whether a server was found on this machine or its network, or
// has to be there by its name. Behind a proxy only the name tells.
func (t *Transport) isNear(u *url.URL) bool {
	if near, known := t.near.Load(hostPort(u)); known {
		return near.(bool)
	}
	return t.nearName(u.Hostname())
}

func (t *Transport) nearName(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return t.private(ip.Unmap())
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost") ||
		strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".internal")
}

// checkHost refuses by its name what dial refuses by its address: a proxy might
// connect to it.
func (t *Transport) checkHost(host string, public bool) error {
	if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().IsLinkLocalUnicast() {
		return refuseAddress(ip, "link-local")
	}
	if public && t.nearName(host) {
		return permanent{fmt.Errorf("refused to be led from a public server to %s, which is on this machine or its network", host)}
	}
	return nil
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func isPrivate(ip netip.Addr) bool { return ip.IsLoopback() || ip.IsPrivate() || ip.IsUnspecified() }

// explainWait says what was waited for in vain.
func explainWait(host string, err error) error {
	text := err.Error()
	op, isOp := errors.AsType[*net.OpError](err)
	switch {
	case isOp && op.Op == "dial" && op.Timeout():
		return fmt.Errorf("no connection to %s within %s: %w", host, dialTimeout, err)
	case strings.Contains(text, "TLS handshake timeout"):
		return fmt.Errorf("%s accepts connections and does not begin TLS within %s: %w", host, tlsTimeout, err)
	case strings.Contains(text, "timeout awaiting response headers"):
		return fmt.Errorf("%s takes requests and does not answer within %s: %w", host, answerTimeout, err)
	}
	return err
}
