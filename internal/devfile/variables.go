package devfile

import (
	"encoding/json"
	"errors"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"banger/internal/pattern"
)

// variable is ${NAME}, ${NAME:ARGUMENT} or ${NAME:ARGUMENT:DEFAULT}.
var variable = pattern.New(`\$\{([A-Za-z]+)(?::([^:}]*))?(?::([^}]*))?\}`)

// variables are what a devcontainer.json may name.
type variables struct {
	dir       string
	workspace string // in the guest; "" is not known yet
	env       func(string) string
	unknown   []string // that were named, and stay as they are
	taken     []string // of the host's environment
}

func newVariables(dir string, env func(string) string) *variables {
	return &variables{dir: dir, env: env}
}

// replaceAll replaces the variables within a JSON text, whose lines stay.
func (v *variables) replaceAll(text []byte) ([]byte, error) {
	grown := len(text) // so far
	replaced := variable().ReplaceAllFunc(text, func(found []byte) []byte {
		if grown > maxReplaced {
			return nil
		}
		m := variable().FindSubmatch(found)
		value, known := v.value(string(m[1]), string(m[2]), string(m[3]))
		if !known {
			if name := string(found); !slices.Contains(v.unknown, name) && string(m[1]) != "containerEnv" {
				v.unknown = append(v.unknown, name)
			}
			return found
		}
		quoted, err := json.Marshal(value)
		if err != nil {
			return found
		}
		grown += len(quoted)
		return quoted[1 : len(quoted)-1]
	})
	if grown > maxReplaced {
		return nil, errors.New("it is too large with the values of its variables")
	}
	return replaced, nil
}

// maxReplaced is more than any file has with the values of its variables, in bytes.
const maxReplaced = 2 * maxFile

func (v *variables) value(name, argument, other string) (string, bool) {
	switch name {
	case "localWorkspaceFolder":
		return v.dir, true
	case "localWorkspaceFolderBasename":
		return filepath.Base(v.dir), true
	case "containerWorkspaceFolder":
		return v.workspace, v.workspace != ""
	case "containerWorkspaceFolderBasename":
		return path.Base(v.workspace), v.workspace != ""
	case "devcontainerId":
		return strings.ToLower(filepath.Base(v.dir)), true
	case "localEnv", "env":
		value := v.env(argument)
		if value == "" {
			return other, true
		}
		if !slices.Contains(v.taken, argument) {
			v.taken = append(v.taken, argument)
		}
		return value, true
	}
	return "", false
}
