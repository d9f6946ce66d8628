package engine

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strings"

	"banger/internal/pattern"
	"banger/internal/ref"
)

var notInNames = pattern.New(`[^a-z0-9]+`)

// plainName makes a name from any text, "" if nothing of it can be used.
func plainName(text string) string {
	return strings.Trim(notInNames().ReplaceAllString(strings.ToLower(text), "-"), "-")
}

// madeUpName returns a name that begins with what a VM is for, a path or an image, and ends
// with random letters.
func madeUpName(of string) string {
	stem := plainName(filepath.Base(of))
	return cmp.Or(stem[:min(len(stem), 40)], "vm") + "-" + strings.ToLower(rand.Text()[:5])
}

// NoNameError says that a reference suggests no name for an image.
type NoNameError struct{ Source ref.Source }

func (e *NoNameError) Error() string { return fmt.Sprintf("%q suggests no name", e.Source) }

// imageName derives a name from a reference, for users who give none.
func imageName(s ref.Source) (string, error) {
	base := filepath.Base(s.Rest)
	for _, suffix := range []string{".gz", ".zst", ".xz", ".tgz", ".tar"} {
		base = strings.TrimSuffix(base, suffix)
	}
	name := plainName(base)
	if name == "" {
		return "", &NoNameError{s}
	}
	return name, nil
}
