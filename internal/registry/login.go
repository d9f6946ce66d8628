package registry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// login is a transport that answers servers who want to know who asks, each as
// it wants it: registries say so of all that they have, or of some of it.
//
// The user's credentials go to the registry and to where it says that tokens are
// to be had. A server that the registry redirects to is answered as anybody
// would; no other server learns what the registry was told.
type login struct {
	repo   name.Repository
	scheme string // by which the registry was reached
	scope  string // what is to be done to the repository
	push   bool
	auth   authn.AuthConfig
	next   http.RoundTripper // to servers
	tokens http.RoundTripper // to those that give tokens
	warn   func(error)       // or nil

	mu     sync.Mutex
	answer map[string]string // the Authorization that a host has accepted
}

// ping finds out by which scheme the registry is reached, and logs in where it
// wants that at once. What else it answers says nothing of the repository.
func (l *login) ping(ctx context.Context) error {
	heard := &hearing{next: l.next, challenges: map[string][]challenge{}}
	found, err := transport.Ping(ctx, l.repo.Registry, heard)
	if err != nil {
		return err
	}
	l.scheme = "https"
	if found.Insecure {
		l.scheme = "http"
	}
	for _, c := range heard.challenges[l.scheme] {
		delete(c.params, "scope") // some registry's is that of no repository
	}
	_, err = l.logIn(ctx, l.repo.RegistryStr(), "", heard.challenges[l.scheme])
	return err
}

// hearing takes every answer for a good one, and notes what it asks for.
type hearing struct {
	next       http.RoundTripper
	mu         sync.Mutex
	challenges map[string][]challenge // by scheme
}

func (h *hearing) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := h.next.RoundTrip(req)
	if limit, ok := errors.AsType[*RateLimitError](err); ok && limit.After == 0 {
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req}, nil
	}
	if err != nil || resp.Header.Get("Location") != "" {
		return resp, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.challenges[req.URL.Scheme] = parseChallenges(resp.Header.Values("WWW-Authenticate"))
	resp.StatusCode = http.StatusOK
	return resp, nil
}

// RoundTrip implements http.RoundTripper.
func (l *login) RoundTrip(req *http.Request) (*http.Response, error) {
	host := req.URL.Host
	used := l.answerFor(host)
	resp, err := l.send(req, used)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		return resp, err
	}
	answer, err := l.logIn(req.Context(), host, used, parseChallenges(resp.Header.Values("WWW-Authenticate")))
	if err == nil && answer == used {
		return resp, nil // it is not enough
	}
	io.CopyN(io.Discard, resp.Body, 4096) // so that the connection is used again
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	if req.GetBody != nil {
		again := req.Clone(req.Context())
		if again.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
		req = again
	}
	return l.send(req, answer)
}

func (l *login) answerFor(host string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answer[host]
}

// send sends a request with an answer, which is for its host.
func (l *login) send(req *http.Request, answer string) (*http.Response, error) {
	out := req.Clone(req.Context())
	if l.isRegistry(out.URL.Host) {
		out.URL.Scheme = l.scheme
	}
	if answer != "" {
		out.Header.Set("Authorization", answer)
	}
	return l.next.RoundTrip(out)
}

func (l *login) isRegistry(host string) bool { return host == l.repo.RegistryStr() }

// logIn returns what a host's challenges are answered by, "" for nothing. It is
// another answer than the one used, if there is one.
func (l *login) logIn(ctx context.Context, host, used string, challenges []challenge) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.answer[host]; now != used {
		return now, nil // as another request has found out meanwhile
	}
	auth := authn.AuthConfig{}
	if l.isRegistry(host) {
		auth = l.auth
	}
	answer := ""
	for _, c := range challenges {
		switch {
		case c.scheme == "bearer" && (c.params["realm"] != "" || auth.RegistryToken != ""):
			token, err := l.token(ctx, c, auth)
			if err != nil {
				return "", err
			}
			l.answer[host] = "Bearer " + token
			return l.answer[host], nil
		case c.scheme == "basic" && auth.Username != "":
			answer = basic(auth)
		}
	}
	l.answer[host] = answer
	return answer, nil
}
