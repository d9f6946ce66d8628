// Package hostname is how names of hosts are compared, and what can be one.
package hostname

import "strings"

// Canonical is the form in which names are compared: DNS knows no case, of ASCII's
// letters, and a dot at the end changes nothing. What Unicode has beside a letter is
// another.
func Canonical(name string) string {
	lower := []byte(strings.TrimSuffix(name, "."))
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] += 'a' - 'A'
		}
	}
	return string(lower)
}

// The most that a name and each of its labels may have, in bytes: RFC 1035, 2.3.4.
const (
	maxName  = 253
	maxLabel = 63
)

// IsValid reports whether a name in its canonical form can be one of a host: not, for
// instance, an address that is written wrong.
func IsValid(name string) bool {
	if len(name) > maxName {
		return false
	}
	letters := false
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			letter := c >= 'a' && c <= 'z'
			if !letter && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
			letters = letters || letter
		}
	}
	return letters
}
