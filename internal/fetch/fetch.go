// Package fetch reads files over HTTP as one stream each, whatever happens to
// the connections that carry it.
//
// A stream that breaks goes on from the byte where it broke, of the same
// object or not at all. It is retried where that may help, and stops as soon as
// its context ends. Plain http is for loopback addresses, and for callers that
// say so. It checks lengths; digests are the caller's to check.
package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// Attempts is how often in a row the same byte is asked for.
const Attempts = 5

// MaxRetryAfter is the longest that a server may have its clients wait.
const MaxRetryAfter = 2 * time.Minute

// Options says how to fetch.
type Options struct {
	UserAgent string
	Insecure  bool              // plain http from any host is fine
	Transport http.RoundTripper // nil is NewTransport's
	Say       func(string)      // told of every retry, or nil
	Stall     time.Duration     // how long a server may send nothing; 0 is a minute
	// Sleep waits between attempts, until ctx ends; nil is by the clock.
	Sleep func(ctx context.Context, d time.Duration) error
}

// StatusError says that a server answered with something else than the file.
type StatusError struct {
	URL        string
	Code       int
	retryAfter time.Duration
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: the server says %d %s", e.URL, e.Code, http.StatusText(e.Code))
}

func (e *StatusError) temporary() bool {
	return e.Code == http.StatusRequestTimeout || e.Code == http.StatusTooManyRequests || e.Code >= 500
}

// permanent marks an error that no attempt mends.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// MayMend reports whether to try again after err.
func MayMend(err error) bool {
	var status *StatusError
	if errors.As(err, &status) {
		return status.temporary()
	}
	var name *net.DNSError
	if errors.As(err, &name) && name.IsNotFound {
		return false
	}
	return !errors.As(err, new(permanent)) && !errors.As(err, new(*tls.CertificateVerificationError))
}

// CheckURL reports whether text is a URL that may be fetched: https, or http
// from a loopback address or where insecure says so.
func CheckURL(text string, insecure bool) error {
	_, err := parseURL(text, insecure)
	return err
}

func parseURL(text string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%q is no URL", text)
	}
	return u, checkURL(u, insecure)
}

func checkURL(u *url.URL, insecure bool) error {
	switch {
	case u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("%q is no https URL", u.Redacted())
	case u.Scheme == "http" && !insecure && !isLoopback(u.Hostname()):
		return fmt.Errorf("%s is not encrypted: only https is fetched", u.Redacted())
	}
	return nil
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// checkRedirect keeps redirects to what may be fetched, and never lets them
// leave https.
func checkRedirect(insecure bool) func(*http.Request, []*http.Request) error {
	return func(next *http.Request, via []*http.Request) error {
		if len(via) >= 10 {
			return permanent{errors.New("too many redirects")}
		}
		if via[len(via)-1].URL.Scheme == "https" && next.URL.Scheme != "https" {
			return permanent{fmt.Errorf("refused to be redirected from https to %s", next.URL.Redacted())}
		}
		if err := checkURL(next.URL, insecure); err != nil {
			return permanent{err}
		}
		return nil
	}
}

// pause is how long to wait before the given attempt, 1 for the first that is
// made again: about a second, twice that, ... with half of it by chance, so
// that many clients do not return at once.
func pause(attempt int, err error) time.Duration {
	var status *StatusError
	if errors.As(err, &status) && status.retryAfter > 0 {
		return min(status.retryAfter, MaxRetryAfter)
	}
	longest := time.Second << (attempt - 1)
	return longest/2 + rand.N(longest/2)
}

// Sleep waits for d, or until ctx ends, whose error it returns then.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
