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

// arches are the architectures that an entry may be for.
var arches = []string{"x86_64"}

// maxText is how many bytes a text for people may have.
const maxText = 1000

// CheckIdentity reports what is wrong with an entry's name, distribution or
// architecture. kind is what errors call the entry.
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

// Check reports why the bundle could not be fetched or verified; insecure allows it to
// come over plain http.
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

// Printable reports whether text is one line that is safe to print on a terminal.
func Printable(text string) bool {
	return len(text) <= maxText && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}
