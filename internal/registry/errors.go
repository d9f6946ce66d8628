package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
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

// PlainHTTPError says that a registry does not answer by https, and that nobody
// has said that plain http is fine for it.
type PlainHTTPError struct {
	Registry string
	Err      error // what https led to, or nil
}

func (e *PlainHTTPError) Error() string {
	if e.Err == nil {
		return e.Registry + " does not answer by https"
	}
	return fmt.Sprintf("%s does not answer by https: %v", e.Registry, e.Err)
}

func (e *PlainHTTPError) Unwrap() error { return e.Err }

// MissingError says that a repository does not have something, or that another
// place does not, of which there is the whole address.
type MissingError struct{ Registry, Repository, Path string }

func (e *MissingError) Error() string {
	if e.Registry == "" {
		return "there is no " + e.Path
	}
	return fmt.Sprintf("%s has no %s in %s", e.Registry, e.Path, e.Repository)
}

// StatusError is any other answer that is no success.
type StatusError struct{ Code int }

func (e *StatusError) Error() string {
	return fmt.Sprintf("the registry answers %d %s", e.Code, http.StatusText(e.Code))
}

// Title is a registry as docker login takes it.
func Title(repo name.Repository) string {
	if repo.RegistryStr() == name.DefaultRegistry {
		return "docker.io"
	}
	return repo.RegistryStr()
}

func statusFault(repo name.Repository, code int) error {
	if code == http.StatusUnauthorized || code == http.StatusForbidden {
		return &AccessError{Title(repo), repo.RepositoryStr()}
	}
	return &StatusError{code}
}

// Explain makes one message of the errors of net/http and of the library that
// logs in.
func Explain(repo name.Repository, err error) error {
	if limit, ok := errors.AsType[*RateLimitError](err); ok {
		return limit
	}
	if errors.Is(err, context.Canceled) {
		return context.Canceled // whatever else was tried
	}
	if errors.As(err, new(*PlainHTTPError)) || repo.Scheme() == "https" && errors.Is(err, http.ErrSchemeMismatch) {
		plain := &PlainHTTPError{Registry: Title(repo)}
		if e, ok := errors.AsType[*url.Error](err); ok {
			plain.Err = e.Err
		}
		return plain
	}
	if e, ok := errors.AsType[*transport.Error](err); ok {
		return statusFault(repo, e.StatusCode)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s drops the connection", Title(repo))
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("reach %s: %w", Title(repo), e.Err)
	}
	return err
}
