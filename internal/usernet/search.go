package usernet

import (
	"bufio"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// The most that resolvers take of search domains, and of ndots.
const (
	maxSearch       = 6
	maxSearchLength = 256
	maxDots         = 15
)

// HostSearch returns the domains in which the host looks for short names, and how
// many dots a name has that is none, or 0 where that is the usual 1.
func HostSearch() (domains []string, dots int) {
	f, err := os.Open("/etc/resolv.conf")
	if err != nil {
		return nil, 0
	}
	defer f.Close()
	return parseSearch(f)
}

// parseSearch reads a resolv.conf(5), in which the last line of a kind counts.
func parseSearch(conf io.Reader) (domains []string, dots int) {
	for lines := bufio.NewScanner(conf); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "domain":
			domains = fields[1:2]
		case "search":
			domains = fields[1:]
		case "options":
			for _, option := range fields[1:] {
				text, ok := strings.CutPrefix(option, "ndots:")
				if n, err := strconv.Atoi(text); ok && err == nil && n > 1 && n <= maxDots {
					dots = n
				}
			}
		}
	}
	domains = slices.DeleteFunc(slices.Clone(domains), func(d string) bool { return !isDomain(d) })
	length := 0
	for i, d := range domains {
		if length += len(d) + 1; i == maxSearch || length > maxSearchLength {
			return domains[:i], dots
		}
	}
	return domains, dots
}

// isDomain reports whether a word can be a domain and is not the root.
func isDomain(word string) bool {
	return strings.Trim(word, ".") != "" && strings.IndexFunc(word, func(r rune) bool {
		return r != '.' && r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0
}
