package hostname

import (
	"strings"
	"testing"
)

func TestCanonical(t *testing.T) {
	for name, want := range map[string]string{
		"a.test": "a.test", "A.Test.": "a.test", "": "", ".": "", "a..": "a.",
		"\u212a.test": "\u212a.test", "te\u017ft": "te\u017ft", "B\u00dc.test": "b\u00dc.test",
	} {
		if got := Canonical(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestIsValid(t *testing.T) {
	label := strings.Repeat("x", maxLabel)
	long := strings.Join([]string{label, label, label, label[:maxName-3*maxLabel-3]}, ".")
	for name, want := range map[string]bool{
		"localhost": true, "a.test": true, "_srv.a-b.test": true, "1.a": true, "xn--bcher-kva.test": true, long: true,
		"": false, ".": false, "a..b": false, "a.": false, ".a": false, "-a.test": false, "a-.test": false, "a b": false, "A.test": false,
		"\u212a.test": false, "1.2.3": false, "300.300.300.300": false, "a/b": false, "*.test": false, long + "x": false, label + "x.test": false,
	} {
		if got := IsValid(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
