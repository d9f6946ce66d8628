package engine

import (
	"errors"
	"fmt"
	"io/fs"

	"banger/internal/imagemgr"
	"banger/internal/kernel"
	"banger/internal/network"
	"banger/internal/snapshot"
	"banger/internal/vm"
	"banger/internal/volume"
)

// RemovedError says that something was removed while an operation used it.
type RemovedError struct{ Kind, Name string }

func (e *RemovedError) Error() string {
	return fmt.Sprintf("%s %q was removed meanwhile", e.Kind, e.Name)
}

// Gone reports whether err says that something is not there, or not any more.
func Gone(err error) bool {
	return errors.As(err, new(*RemovedError)) || errors.As(err, new(*vm.NotFoundError)) ||
		errors.As(err, new(*imagemgr.NotFoundError)) || errors.As(err, new(*kernel.NotFoundError)) || errors.As(err, new(*snapshot.NotFoundError)) ||
		errors.As(err, new(*volume.NotFoundError)) || errors.As(err, new(*network.NotFoundError))
}

// removed returns err, or a *RemovedError if err says that something is gone.
func removed(kind, name string, err error) error {
	if Gone(err) {
		return &RemovedError{kind, name}
	}
	return err
}

// lost returns err, or a *RemovedError if the thing has been removed and err says only that
// a file does not exist.
func lost(kind, name string, exists func(name string) bool, err error) error {
	if (errors.Is(err, fs.ErrNotExist) || Gone(err)) && !exists(name) {
		return &RemovedError{kind, name}
	}
	return err
}
