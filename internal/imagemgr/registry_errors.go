package imagemgr

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"banger/internal/fetch"
)

// AccessError says that a registry does not give something to this user.
type AccessError struct {
	Registry   string // as docker login takes it
	Repository string
}

func (e *AccessError) Error() string {
	return fmt.Sprintf("%s does not give access to %s: there is no such repository, or it needs docker login %s",
		e.Registry, e.Repository, e.Registry)
}

// RateLimitError says that a registry wants fewer requests.
type RateLimitError struct {
	Registry string
	After    time.Duration // to wait, where the registry said it
}

func (e *RateLimitError) Error() string {
	text := e.Registry + " limits the number of requests: try again "
	if e.After == 0 {
		return text + "later"
	}
	return text + "in " + e.After.String()
}

// missingError says that a repository does not have something.
type missingError struct{ registry, repository, path string }

func (e *missingError) Error() string {
	return fmt.Sprintf("%s has no %s in %s", e.registry, e.path, e.repository)
}

// statusError is any other answer that is no success.
type statusError struct{ code int }

func (e *statusError) Error() string {
	return fmt.Sprintf("the registry answers %d %s", e.code, http.StatusText(e.code))
}

// registryName is a registry as docker login takes it.
func registryName(repo name.Repository) string {
	if repo.RegistryStr() == name.DefaultRegistry {
		return "docker.io"
	}
	return repo.RegistryStr()
}

func statusFault(repo name.Repository, code int) error {
	if code == http.StatusUnauthorized || code == http.StatusForbidden {
		return &AccessError{registryName(repo), repo.RepositoryStr()}
	}
	return &statusError{code}
}

// explain makes one message of the errors of net/http and of the library that
// logs in.
func explain(repo name.Repository, err error) error {
	if limit, ok := errors.AsType[*RateLimitError](err); ok {
		return limit
	}
	if e, ok := errors.AsType[*transport.Error](err); ok {
		return statusFault(repo, e.StatusCode)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s drops the connection", registryName(repo))
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("reach %s: %w", registryName(repo), e.Err)
	}
	return err
}

// rateLimits is the transport to a registry, of a name for errors, that makes
// an error of an answer that asks for fewer requests.
//
// Every request passes here, redirected ones and those for tokens too: plain
// http goes to loopback addresses, or to a registry that is itself spoken to so.
type rateLimits struct {
	repo name.Repository
	next http.RoundTripper
}

func (l rateLimits) RoundTrip(req *http.Request) (*http.Response, error) {
	plain := l.repo.Scheme() == "http" && req.URL.Host == l.repo.RegistryStr()
	if err := fetch.CheckURL(req.URL.String(), plain); err != nil {
		return nil, err
	}
	resp, err := l.next.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusTooManyRequests {
		return resp, err
	}
	resp.Body.Close()
	return nil, &RateLimitError{registryName(l.repo), retryAfter(resp.Header.Get("Retry-After"), time.Now())}
}

// retryAfter reads a Retry-After header, seconds or a date, as RFC 9110
// describes it. What cannot be read is 0.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil && at.After(now) {
		return at.Sub(now).Round(time.Second)
	}
	return 0
}
