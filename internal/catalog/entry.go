package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"banger/internal/fetch"
	"banger/internal/ref"
)

// arches are those that an entry may be for.
var arches = []string{"x86_64"}

// maxText is how many bytes a text for people may have.
const maxText = 1000

// CheckIdentity tells whether an entry, of a kind for errors, may be called and
// be for what it says.
func CheckIdentity(kind, name, distro, arch string) error {
	if err := ref.CheckName(kind, name); err != nil {
		return err
	}
	if ref.CheckName("distribution", distro) != nil {
		return fmt.Errorf("%s: %q is no distribution", name, distro)
	}
	if !slices.Contains(arches, arch) {
		return fmt.Errorf("%s: the architecture %q is not known", name, arch)
	}
	return nil
}

var digest = regexp.MustCompile(`^[0-9a-f]{64}$`)

// CheckBundle tells whether a bundle may be fetched from url, and be verified.
func CheckBundle(url, sha256 string, size int64, insecure bool) error {
	if !digest.MatchString(sha256) {
		return fmt.Errorf("%q is no SHA-256", sha256)
	}
	if size <= 0 {
		return fmt.Errorf("%d bytes is no size", size)
	}
	return fetch.CheckURL(url, insecure)
}

// Printable tells whether text is a line that a terminal can be sent.
func Printable(text string) bool {
	return len(text) <= maxText && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}
