package firecracker

import (
	"fmt"
	"strconv"

	"banger/internal/pattern"
)

// Oldest is the oldest version that banger works with: the first whose guests
// find their devices by ACPI.
const Oldest = "1.8.0"

// VersionError says that a firecracker is too old.
type VersionError struct{ Path, Version string }

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s is firecracker %s, and banger needs %s or newer", e.Path, e.Version, Oldest)
}

var versionText = pattern.New(`(?m)^Firecracker v([0-9]+\.[0-9]+\.[0-9]+\S*)`)

// version picks the number out of what Firecracker says of itself.
func version(text string) (string, bool) {
	match := versionText().FindStringSubmatch(text)
	if match == nil {
		return "", false
	}
	return match[1], true
}

// isOlder compares the versions' three numbers.
func isOlder(a, b string) bool {
	x, y := numbers(a), numbers(b)
	for i := range x {
		if x[i] != y[i] {
			return x[i] < y[i]
		}
	}
	return false
}

var number = pattern.New(`[0-9]+`)

func numbers(version string) (n [3]int) {
	for i, text := range number().FindAllString(version, len(n)) {
		n[i], _ = strconv.Atoi(text)
	}
	return n
}
