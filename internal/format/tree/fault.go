package tree

import (
	"errors"
	"fmt"
	"os"
)

// fault names a file in an error, once.
func fault(name string, err error) error {
	if err == nil || errors.As(err, new(*FileError)) {
		return err
	}
	return &FileError{name, err}
}

// FileError is an error about one file of a tree.
type FileError struct {
	Name string // in the tree
	Err  error
}

func (e *FileError) Error() string { return fmt.Sprintf("%q: %v", e.Name, withoutPath(e.Err)) }
func (e *FileError) Unwrap() error { return e.Err }

// withoutPath leaves out a name that is said anyway.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}
