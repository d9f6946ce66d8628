package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"strconv"
	"strings"

	"banger/internal/hostname"
)

// setProxy makes what carries the session's requests.
func (s *session) setProxy() {
	s.hosts = &http.Transport{
		DialTLSContext: s.dial, DisableCompression: true, Protocols: new(http.Protocols),
		MaxConnsPerHost: maxDials, MaxIdleConnsPerHost: maxDials, IdleConnTimeout: idleHostTime,
		MaxResponseHeaderBytes: maxAnswerHeader, ExpectContinueTimeout: continueTime,
		HTTP2: &http.HTTP2Config{MaxReceiveBufferPerConnection: maxDownload, MaxReceiveBufferPerStream: maxDownload},
	}
	s.hosts.Protocols.SetHTTP1(true)
	s.hosts.Protocols.SetHTTP2(true)
	s.proxy = &httputil.ReverseProxy{
		Rewrite: s.rewrite, Transport: s.hosts, FlushInterval: -1, BufferPool: s.edge,
		ModifyResponse: func(r *http.Response) error {
			swapsOf(r.Request).hide(r.Header)
			return nil
		},
		ErrorHandler: s.failed, ErrorLog: log.New(io.Discard, "", 0),
	}
}

func (e *Edge) serveHTTP(w http.ResponseWriter, r *http.Request) {
	s, ok := r.Context().Value(sessionKey{}).(*session)
	if !ok || !take(r.Context(), e.requests) {
		return
	}
	defer func() { <-e.requests }()
	s.serve(w, r)
}

// refused are methods that would have a host lead elsewhere, or say again in a body
// what it got: RFC 9110, 9.3.6 and 9.3.8, and what some servers call the latter.
var refused = []string{http.MethodConnect, http.MethodTrace, "TRACK", "DEBUG"}

func (s *session) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.fault != nil:
		refuse(w, http.StatusBadGateway, "the host %s cannot be reached by TLS: %v", s.to.Host, s.fault)
		return
	case slices.Contains(refused, r.Method):
		s.to.Note("denied https %q by its secrets: the method %s", s.to.Host, r.Method)
		refuse(w, http.StatusMethodNotAllowed, "the method %s is not for hosts with secrets", r.Method)
		return
	case !s.means(r.Host):
		s.to.Note("denied https %q by its secrets: a request for another host, %.200q", s.to.Host, r.Host)
		refuse(w, http.StatusMisdirectedRequest, "the request is for another host than its TLS is for")
		return
	}
	// What is put in is as it is when the request comes: it may change within a connection.
	swaps := s.edge.forHost(s.to.Host, s.to.Port)
	r = r.WithContext(context.WithValue(r.Context(), swapsKey{}, swaps))
	used, err := swaps.request(r)
	if foreign, ok := errors.AsType[*foreignError](err); ok {
		s.to.Note("denied https %q by secret %s: it is not for this host", s.to.Host, foreign.name)
		refuse(w, http.StatusForbidden, "%v", err)
		return
	}
	s.noteUsed(used)
	http.NewResponseController(w).EnableFullDuplex()
	h := w.Header()
	h["Date"], h["Content-Type"] = nil, nil // which would be added where the host has none
	// What comes after the body is there when all is copied.
	defer swaps.hide(h)
	s.proxy.ServeHTTP(&answer{w, swaps}, r)
}

type swapsKey struct{}

// swapsOf are what is put into a request.
func swapsOf(r *http.Request) swaps {
	s, _ := r.Context().Value(swapsKey{}).(swaps)
	return s
}

// means reports whether a request's host is the session's.
func (s *session) means(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = host, strconv.Itoa(int(s.to.Port))
	}
	return hostname.Canonical(name) == s.to.Host && port == strconv.Itoa(int(s.to.Port))
}

// rewrite makes the request for the host, which is the guest's own but for where
// it goes.
func (s *session) rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.Scheme = "https"
	r.Out.URL.Host = net.JoinHostPort(s.to.Host, strconv.Itoa(int(s.to.Port)))
	r.Out.URL.RawQuery = r.In.URL.RawQuery // as it was written
	r.Out.Host = r.In.Host
	if path, _, _ := strings.Cut(r.In.RequestURI, "?"); strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") {
		r.Out.URL.Opaque = path // also
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values, ok := r.In.Header[name]; ok {
			r.Out.Header[name] = values
		}
	}
	if r.In.ProtoMajor == 2 && r.Out.Body != nil {
		r.Out.Body = &given{r.Out.Body, r.In.Body}
	}
	if len(r.In.Trailer) > 0 && r.Out.Body != nil {
		r.Out.Body = &trailed{r.Out.Body, r.In, r.Out}
	}
}

// given is a body that nobody reads any more once it is closed. The proxy's own stays
// open: where a host answers before it has heard all, its transport waits for the
// guest's next bytes, and the guest for the answer's end.
type given struct {
	io.ReadCloser
	guest io.Closer
}

func (g *given) Close() error { return errors.Join(g.ReadCloser.Close(), g.guest.Close()) }

// trailed is a body that trailers follow: they are known at its end.
type trailed struct {
	io.ReadCloser
	in, out *http.Request
}

func (t *trailed) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		swaps := swapsOf(t.in)
		if foreign := swaps.checkHeader(t.in.Trailer); foreign != nil {
			return n, foreign
		}
		for name, values := range t.in.Trailer {
			t.out.Trailer[name] = slices.Clone(values)
		}
		swaps.header(t.out.Trailer)
	}
	return n, err
}

// answer is where the host's answer goes, of which there may be some before the
// last.
type answer struct {
	http.ResponseWriter
	swaps swaps
}

func (a *answer) WriteHeader(status int) {
	if status == http.StatusContinue {
		return // the server says that when the body is first read
	}
	a.swaps.hide(a.Header())
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// failed answers where the host does not.
func (s *session) failed(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody is there to hear it
	}
	if foreign, ok := errors.AsType[*foreignError](err); ok {
		s.to.Note("denied https %q by secret %s: it is not for this host", s.to.Host, foreign.name)
		refuse(w, http.StatusForbidden, "%v", foreign)
		return
	}
	s.to.Note("ended https %q: the host: %s", s.to.Host, plain(err))
	refuse(w, http.StatusBadGateway, "the host %s does not answer: %s", s.to.Host, plain(err))
}

// refuse answers in the host's place.
func refuse(w http.ResponseWriter, status int, format string, args ...any) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Connection", "close")
	w.WriteHeader(status)
	fmt.Fprintf(w, "banger: "+format+"\n", args...)
}

// noteUsed notes the first use of each secret in a connection.
func (s *session) noteUsed(names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		if !slices.Contains(s.used, name) {
			s.used = append(s.used, name)
			s.to.Note("allowed https %q with secret %s", s.to.Host, name)
		}
	}
}
