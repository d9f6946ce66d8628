// Package smallfile reads files whole that somebody else wrote: a user, a project, an
// archive.
//
// It guarantees that a read ends, and what it takes of memory: a pipe that nobody
// writes to, a device and a file without end are errors.
package smallfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// TooLargeError says that a file has more bytes than it may.
type TooLargeError struct {
	Path string
	Max  int64
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s is larger than %d bytes", e.Path, e.Max)
}

// ErrNotRegular is within the errors of what is no regular file.
var ErrNotRegular = errors.New("not a regular file")

// Read returns what the file at path holds, which may be a symbolic link. The error is
// a *TooLargeError where that is more than limit bytes.
func Read(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: ErrNotRegular}
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = &TooLargeError{path, limit}
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}
