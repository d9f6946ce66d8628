package api

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"slices"
	"syscall"

	"banger/internal/agent"
	"banger/internal/catalog"
	"banger/internal/config"
	"banger/internal/engine"
	"banger/internal/imagemgr"
	"banger/internal/kernel"
	"banger/internal/network"
	"banger/internal/ports"
	"banger/internal/ref"
	"banger/internal/snapshot"
	"banger/internal/statedir"
	"banger/internal/vm"
	"banger/internal/volume"
)

// problem is what is said of an error, see RFC 9457.
type problem struct {
	Type   string `json:"type"` // always about:blank: the status says what kind it is
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty" jsonschema:"what to do about it"`
}

const problemType = "application/problem+json"

// fail tells a client of an error, if anything can be told yet.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // the client is gone or the server ends: no answer says that all went well
	}
	s.problem(err).write(w)
}

// problem is what is said of an error.
func (s *server) problem(err error) problem {
	return problem{Status: status(err), Detail: err.Error(), Hint: s.hint(err)}
}

func (p problem) complete() problem {
	p.Type, p.Title = "about:blank", http.StatusText(p.Status)
	return p
}

func (p problem) write(w http.ResponseWriter) { writeJSON(w, problemType, p.Status, p.complete()) }

// The errors that HTTP has a status for, each as errors.As takes it.
var (
	notFound = []any{
		new(*vm.NotFoundError), new(*imagemgr.NotFoundError), new(*kernel.NotFoundError), new(*snapshot.NotFoundError), new(*volume.NotFoundError),
		new(*network.NotFoundError), new(*catalog.NotFoundError), new(*config.NoCatalogError), new(*notGotError), new(*engine.NotAgreedError),
	}
	conflict = []any{
		new(*vm.PhaseError), new(*engine.InUseError), new(*ports.TakenError), new(*vm.EphemeralError), new(*engine.NoKernelError), new(*engine.WhichKernelError),
		new(*volume.AttachedError), new(*volume.DirtyError), new(*kernel.TakenError), new(*agent.GuestError), new(*engine.SecretError), new(*engine.UnkeptSecretError),
		new(*refusedError),
	}
)

// status is what HTTP calls an error.
func status(err error) int {
	is := func(targets ...any) bool {
		return slices.ContainsFunc(targets, func(target any) bool { return errors.As(err, target) })
	}
	switch {
	case is(new(*contentTypeError)):
		return http.StatusUnsupportedMediaType
	case is(new(*http.MaxBytesError)):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, errNoLength):
		return http.StatusLengthRequired
	case errors.Is(err, errSlow):
		return http.StatusRequestTimeout
	case errors.Is(err, errBusy):
		return http.StatusServiceUnavailable
	case is(new(*inputError), new(*ref.NameError)):
		return http.StatusBadRequest
	case is(new(*otherBodyError)):
		return http.StatusUnprocessableEntity
	case is(notFound...), errors.Is(err, fs.ErrNotExist):
		return http.StatusNotFound
	case is(conflict...), errors.Is(err, statedir.ErrExist), errors.Is(err, engine.ErrNoFile):
		return http.StatusConflict
	case errors.Is(err, syscall.ENOSPC), is(new(*statedir.NoSpaceError)):
		return http.StatusInsufficientStorage
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	case errors.Is(err, fs.ErrPermission):
		return http.StatusForbidden
	}
	return http.StatusInternalServerError
}

// refused is an error of an operation that may be asked for what cannot be as things
// are: what is not one of a kind that has a status is a conflict with that.
func refused(err error) error {
	if err == nil || status(err) != http.StatusInternalServerError {
		return err
	}
	return &refusedError{err}
}

type refusedError struct{ error }

func (e *refusedError) Unwrap() error { return e.error }

// problems turns what the multiplexer itself refuses into problems like all others.
func problems(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := &plainRefusals{ResponseWriter: w}
		next.ServeHTTP(p, r)
		if p.refused != 0 {
			problem{Status: p.refused, Detail: http.StatusText(p.refused) + ": " + string(bytes.TrimSpace(p.text))}.write(w)
		}
	})
}

// plainRefusals keeps back refusals that are plain text.
type plainRefusals struct {
	http.ResponseWriter
	refused int
	text    []byte
}

// Unwrap is for http.ResponseController.
func (p *plainRefusals) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p *plainRefusals) WriteHeader(status int) {
	if status >= 400 && p.Header().Get("Content-Type") != problemType {
		p.refused = status
		p.Header().Del("Content-Type")
		p.Header().Del("X-Content-Type-Options")
		return
	}
	p.ResponseWriter.WriteHeader(status)
}

func (p *plainRefusals) Write(text []byte) (int, error) {
	if p.refused != 0 {
		if len(p.text) < 1<<10 {
			p.text = append(p.text, text...)
		}
		return len(text), nil
	}
	return p.ResponseWriter.Write(text)
}
