package devfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"banger/internal/smallfile"
)

// devcontainers are where a devcontainer.json is looked for, in this order.
var devcontainers = []string{".devcontainer/devcontainer.json", ".devcontainer.json"}

// NotFoundError says that no directory from Dir upwards has a file.
type NotFoundError struct{ Dir string }

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("neither %s nor a devcontainer.json is in %s or above it", FileName, e.Dir)
}

// Find reads the file of the project that dir belongs to: the nearest one upwards.
// env gives the host's variables that a devcontainer.json may name. The error is a
// *NotFoundError where there is none, and an *Error where it is not right.
func Find(dir string, env func(string) string) (Spec, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return Spec{}, err
	}
	for at := start; ; at = filepath.Dir(at) {
		if path := filepath.Join(at, FileName); isFile(path) {
			return read(path, at, parseTOML)
		}
		for _, name := range devcontainers {
			if path := filepath.Join(at, name); isFile(path) {
				return read(path, at, func(s *Spec, text []byte) error { return parseDevcontainer(s, text, env) })
			}
		}
		if at == filepath.Dir(at) {
			return Spec{}, &NotFoundError{start}
		}
	}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func read(path, dir string, parse func(*Spec, []byte) error) (Spec, error) {
	s := Spec{Path: path, Dir: dir}
	text, err := smallfile.Read(path, maxFile)
	if err != nil {
		return s, err
	}
	if err := parse(&s, text); err != nil {
		var placed *Error
		if !errors.As(err, &placed) {
			placed = &Error{Err: err}
		}
		placed.Path = path
		return s, placed
	}
	return s, nil
}
