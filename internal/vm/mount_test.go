package vm

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseMount(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]Mount{
		"/src:/dst":     {Source: "/src", Target: "/dst"},
		"/src:/dst/":    {Source: "/src", Target: "/dst"},
		"/src:/dst:ro":  {Source: "/src", Target: "/dst", ReadOnly: true},
		"/src:/dst:rw":  {Source: "/src", Target: "/dst"},
		"/src":          {Source: "/src", Target: "/src"},
		"/src/:ro":      {Source: "/src", Target: "/src", ReadOnly: true},
		".":             {Source: here, Target: here},
		"a/../b:/dst":   {Source: filepath.Join(here, "b"), Target: "/dst"},
		"./ro:/dst":     {Source: filepath.Join(here, "ro"), Target: "/dst"},
		"/proc:/dev2/x": {Source: "/proc", Target: "/dev2/x"},
	} {
		if got, err := ParseMount(text); err != nil || got != want {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", ":", ":/dst", "/src:", "/src:dst", "/src:../dst", "/src:/a/../b", "/src:/a//b", "/src:/", "/src:/dst:xx", "/a:/b:/c:ro",
		"/src:/proc", "/src:/proc/x", "/src:/dev/shm", "/src:/sys", "/src:/a\nb", "/caf\xe9:/dst", "/src:/caf\xe9", "/src:/" + strings.Repeat("n", 2000),
	} {
		if got, err := ParseMount(text); err == nil {
			t.Errorf("%q: got %+v", text, got)
		}
	}
}

func TestMountsOfAVM(t *testing.T) {
	one := Mount{Source: "/a", Target: "/t"}
	many := make([]Mount, MaxMounts+1)
	for i := range many {
		many[i] = Mount{Source: "/a", Target: "/t" + strings.Repeat("x", i)}
	}
	for name, mounts := range map[string][]Mount{
		"two at one place": {one, {Source: "/b", Target: "/t"}}, "too many": many, "a relative source": {{Source: "a", Target: "/t"}},
	} {
		if checkMounts(mounts) == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
	sorted := sortMounts([]Mount{{Target: "/t/deep"}, {Target: "/t"}, {Target: "/a"}})
	if sorted[0].Target != "/a" || sorted[1].Target != "/t" || sorted[2].Target != "/t/deep" {
		t.Errorf("sorted to %v", sorted)
	}
}

// A directory that has become a link since it was agreed to is not opened.
func TestMountOpen(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "real", "below"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for name, isLink := range map[string]bool{"real/below": false, "link": true, "link/below": true} {
		m := Mount{Source: filepath.Join(dir, name), Target: "/w"}
		f, err := m.Open()
		if isLink != (err != nil) || err != nil && !errors.As(err, new(*LinkedError)) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			f.Close()
		}
		resolved, err := m.Resolved()
		if want := filepath.Join(dir, strings.Replace(name, "link", "real", 1)); err != nil || resolved.Source != want || resolved.Target != "/w" {
			t.Errorf("%s: resolved to %+v, %v", name, resolved, err)
		}
		if f, err = resolved.Open(); err != nil {
			t.Error(err)
			continue
		}
		f.Close()
	}
	if _, err := (Mount{Source: filepath.Join(dir, "none")}).Resolved(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
