package rootfs

import (
	"strings"
	"testing"
)

func TestCleanName(t *testing.T) {
	long := strings.Repeat("x", 255)
	for _, c := range []struct{ name, want, fault string }{
		{"usr/bin/env", "usr/bin/env", ""},
		{"./usr/bin/", "usr/bin", ""},
		{"usr//./bin", "usr/bin", ""},
		{".", ".", ""},
		{"./", ".", ""},
		{"..data", "..data", ""},
		{"a/" + long, "a/" + long, ""},
		{"", "", "empty"},
		{"..", "", `".."`},
		{"../etc/passwd", "", `".."`},
		{"usr/../../etc", "", `".."`},
		{"usr/..", "", `".."`},
		{"/etc/passwd", "etc/passwd", ""},
		{"//ko-app/x", "ko-app/x", ""},
		{"/", ".", ""},
		{"a/" + long + "x/b", "", "256 bytes"},
	} {
		got, fault := cleanName(c.name)
		if got != c.want || (fault == "") != (c.fault == "") || !strings.Contains(fault, c.fault) {
			t.Errorf("cleanName(%s) = %q, %q; want %q, %q", quote(c.name), got, fault, c.want, c.fault)
		}
	}
}

func TestResolve(t *testing.T) {
	links := symlinks{
		"bin":        "usr/bin",
		"usr/lib64":  "lib",
		"var/run":    "/run",
		"up":         "../../..",
		"usr/share":  "../opt/./share/",
		"dangling":   "no/where",
		"a":          "b",
		"b":          "a",
		"via":        "bin/sub",
		"usr/bin/me": ".",
	}
	for _, c := range []struct{ name, want string }{
		{".", "."},
		{"etc", "etc"},
		{"bin", "usr/bin"},
		{"bin/x/y", "usr/bin/x/y"},
		{"usr/lib64/x", "usr/lib/x"},
		{"var/run/lock", "run/lock"},
		{"up/etc", "etc"},
		{"usr/share/doc", "opt/share/doc"},
		{"dangling/x", "no/where/x"},
		{"via/x", "usr/bin/sub/x"},
		{"bin/me/me/ls", "usr/bin/ls"},
		{"binary", "binary"},
	} {
		got, err := resolve(c.name, links.readlink)
		if got != c.want || err != nil {
			t.Errorf("resolve(%q) = %q, %v; want %q", c.name, got, err, c.want)
		}
	}
	if got, err := resolve("a/x", links.readlink); err == nil {
		t.Errorf("resolve of a loop = %q, want an error", got)
	}
}

func TestQuoteShortens(t *testing.T) {
	if got := quote(strings.Repeat("a/", 2000)); len(got) > 110 {
		t.Errorf("quote gave %d bytes", len(got))
	}
}
