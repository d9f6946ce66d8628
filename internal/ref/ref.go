// Package ref names things: kernels, images and VMs, and the references that
// say where a kernel or an image comes from.
//
// It guarantees that a name it accepts is safe as a file name, a host name and
// a command-line argument. It is pure: it opens no file and no connection.
package ref

import (
	"fmt"
	"strings"
)

// MaxName is the longest name accepted, in bytes: a host name label's limit.
const MaxName = 63

// NameError says what is wrong with a name.
type NameError struct {
	Kind, Name, Why string
}

func (e *NameError) Error() string {
	return fmt.Sprintf("%s name %q %s", e.Kind, e.Name, e.Why)
}

// CheckName reports whether name may be given to a kernel, an image or a VM
// (kind says which, for the error): 1 to 63 lower-case letters, digits, dots,
// underscores and dashes, the first and the last a letter or a digit.
func CheckName(kind, name string) error {
	why := nameFault(name)
	if why == "" {
		return nil
	}
	return &NameError{Kind: kind, Name: name, Why: why}
}

func nameFault(name string) string {
	switch {
	case name == "":
		return "is empty"
	case len(name) > MaxName:
		return fmt.Sprintf("is longer than %d characters", MaxName)
	case !alnum(name[0]) || !alnum(name[len(name)-1]):
		return "must begin and end with a lower-case letter or a digit"
	case strings.Contains(name, ".."):
		return "must not hold two dots in a row"
	}
	for i := range len(name) {
		if c := name[i]; !alnum(c) && c != '.' && c != '_' && c != '-' {
			return "may hold only lower-case letters, digits, '.', '_' and '-'"
		}
	}
	return ""
}

func alnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
}
