package catalog

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"banger/internal/artifact"
	"banger/internal/fetch"
	"banger/internal/pattern"
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

var digest = pattern.New(`^[0-9a-f]{64}$`)

// Check tells whether the bundle may be fetched, and be verified; insecure says
// that it may come over plain http.
func (p Promise) Check(insecure bool) error {
	if !digest().MatchString(p.SHA256) {
		return fmt.Errorf("%q is no SHA-256", p.SHA256)
	}
	if p.Size <= 0 {
		return fmt.Errorf("%d bytes is no size", p.Size)
	}
	if !p.inRegistry() {
		if p.CosignKey != "" {
			return fmt.Errorf("a cosign_key is for bundles in registries, and %s is in none", p.URL)
		}
		return fetch.CheckURL(p.URL, insecure)
	}
	if _, err := p.key(); err != nil {
		return fmt.Errorf("cosign_key: %w", err)
	}
	return artifact.CheckPinned(p.URL)
}

// Printable tells whether text is a line that a terminal can be sent.
func Printable(text string) bool {
	return len(text) <= maxText && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}
