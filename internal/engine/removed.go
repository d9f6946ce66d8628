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

// RemovedError says that something went while an operation was at it.
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

// removed is err, or where that says that what was there is not, a
// *RemovedError.
func removed(kind, name string, err error) error {
	if Gone(err) {
		return &RemovedError{kind, name}
	}
	return err
}

// lost is err, or where what the operation is of has gone and the error says no more
// than that something is not there, a *RemovedError.
func lost(kind, name string, exists func(name string) bool, err error) error {
	if (errors.Is(err, fs.ErrNotExist) || Gone(err)) && !exists(name) {
		return &RemovedError{kind, name}
	}
	return err
}
