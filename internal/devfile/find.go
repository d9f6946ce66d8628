package devfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"banger/internal/smallfile"
)

// devcontainers are where a devcontainer.json is looked for, in this order.
var devcontainers = []string{".devcontainer/devcontainer.json", ".devcontainer.json"}

// NotFoundError says that no directory from Dir upwards has a file.
type NotFoundError struct{ Dir string }

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("neither %s nor a devcontainer.json is in %s or above it", FileName, e.Dir)
}

// SeveralError says that a project has several files, of which one has to be named.
type SeveralError struct{ Paths []string }

func (e *SeveralError) Error() string {
	return fmt.Sprintf("there are several: %s", strings.Join(e.Paths, ", "))
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
		path, project, err := devcontainerOf(at)
		if err != nil {
			return Spec{}, err
		}
		if path != "" {
			return read(path, project, func(s *Spec, text []byte) error { return parseDevcontainer(s, text, env) })
		}
		if at == filepath.Dir(at) {
			return Spec{}, &NotFoundError{start}
		}
	}
}

// devcontainerOf returns the devcontainer.json that dir has, or is the directory of, and
// the project that it is of. A project may have several, each in a directory of its own.
func devcontainerOf(dir string) (path, project string, err error) {
	for _, name := range devcontainers {
		if path := filepath.Join(dir, name); isFile(path) {
			return path, dir, nil
		}
	}
	if path := filepath.Join(dir, "devcontainer.json"); filepath.Base(filepath.Dir(dir)) == ".devcontainer" && isFile(path) {
		return path, filepath.Dir(filepath.Dir(dir)), nil
	}
	entries, _ := os.ReadDir(filepath.Join(dir, ".devcontainer")) // it is mostly not there
	var several []string
	for _, e := range entries {
		if path := filepath.Join(dir, ".devcontainer", e.Name(), "devcontainer.json"); isFile(path) {
			several = append(several, path)
		}
	}
	switch len(several) {
	case 0:
		return "", "", nil
	case 1:
		return several[0], dir, nil
	}
	return "", "", &SeveralError{several}
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
