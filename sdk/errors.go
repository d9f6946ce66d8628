package sdk

import (
	"errors"
	"fmt"
	"slices"

	"banger/internal/agent"
	"banger/internal/engine"
	"banger/internal/imagemgr"
	"banger/internal/kernel"
	"banger/internal/network"
	"banger/internal/ports"
	"banger/internal/snapshot"
	"banger/internal/statedir"
	"banger/internal/vm"
	"banger/internal/volume"
)

// What errors are, for errors.Is. Others are what they are of: a file that is not there
// is fs.ErrNotExist, and what ended with its context has that one's error.
var (
	ErrNotFound = errors.New("there is none of that name")                // no VM, snapshot, volume, kernel or network
	ErrNoImage  = errors.New("there is no such image")                    // here, and none that is pulled by itself
	ErrExist    = errors.New("the name is taken")                         // by one of the same kind
	ErrInUse    = errors.New("something else has it")                     // a port of the host, or a volume that is to be removed
	ErrPhase    = errors.New("the vm is not in the phase that is needed") // such as not running
	ErrLost     = errors.New("the guest went away")                       // while it was needed
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

// isAny reports whether an error is one of some kinds, each as errors.As takes it.
func isAny(err error, kinds ...any) bool {
	return slices.ContainsFunc(kinds, func(kind any) bool { return errors.As(err, kind) })
}

// explain says of an error what callers can branch on.
func explain(err error) error {
	for _, k := range []struct {
		kind error
		is   bool
	}{
		{ErrNotFound, isAny(err, new(*vm.NotFoundError), new(*snapshot.NotFoundError), new(*volume.NotFoundError), new(*kernel.NotFoundError), new(*network.NotFoundError))},
		{ErrNoImage, errors.As(err, new(*imagemgr.NotFoundError))},
		{ErrInUse, isAny(err, new(*ports.TakenError), new(*volume.AttachedError), new(*engine.InUseError))},
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
