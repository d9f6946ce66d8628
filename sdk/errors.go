package sdk

import (
	"errors"
	"fmt"

	"banger/internal/agent"
	"banger/internal/imagemgr"
	"banger/internal/snapshot"
	"banger/internal/statedir"
	"banger/internal/vm"
	"banger/internal/volume"
)

// What errors are, for errors.Is.
var (
	ErrNotFound = errors.New("there is none of that name")
	ErrExist    = errors.New("the name is taken")
	ErrPhase    = errors.New("the vm is not in the phase that is needed") // such as not running
	ErrNoImage  = errors.New("there is no such image")
	ErrLost     = errors.New("the guest went away")
)

// ExitError is a program's exit status that is not 0, or 128 and the signal that
// ended it. 126 is of one that cannot be executed, 127 of one that is not there.
type ExitError struct {
	Status int
	Stderr []byte // the end of what it wrote there, where [Cmd.Output] was called
}

func (e *ExitError) Error() string { return fmt.Sprintf("exit status %d", e.Status) }

// failure is an error of banger's that is one of the above.
type failure struct {
	error
	kind error
}

func (f *failure) Is(target error) bool { return target == f.kind }
func (f *failure) Unwrap() error        { return f.error }

// explain says of an error what callers can branch on.
func explain(err error) error {
	for _, k := range []struct {
		kind error
		is   bool
	}{
		{ErrNotFound, errors.As(err, new(*vm.NotFoundError)) || errors.As(err, new(*snapshot.NotFoundError)) || errors.As(err, new(*volume.NotFoundError))},
		{ErrNoImage, errors.As(err, new(*imagemgr.NotFoundError))},
		{ErrPhase, errors.As(err, new(*vm.PhaseError))},
		{ErrExist, errors.Is(err, statedir.ErrExist)},
		{ErrLost, errors.Is(err, agent.ErrLost) || errors.As(err, new(*vm.DiedError))},
	} {
		if k.is {
			return &failure{err, k.kind}
		}
	}
	return err
}
