package project

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// What a guest has may be behind what is a link here, and may be called what git takes
// for more than a name.
func TestIgnoredNames(t *testing.T) {
	dir := t.TempDir()
	sh(t, dir, `
		git init -q .
		mkdir real
		ln -s real link && ln -s /nowhere vendor && ln -s real real/within
		printf 'vendor\n*.o\n' >.gitignore`)
	tree, err := List(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	ignored, err := tree.Ignored(t.Context(), []string{
		"link/", "link/a", "link/a.o", "vendor/", "vendor/a/b", "real/a", "real/a.o", "real/within/a", "none/a.o",
		":!a", ":(top)a", ":(exclude)b.o", ":/", "*", "a\nb", "[a].o", `\.o`,
		strings.Repeat("deep/", 1000) + "a.o",
	})
	want := []string{":(exclude)b.o", "[a].o", `\.o`, "none/a.o", "real/a.o", "vendor/", "vendor/a/b"}
	if got := slices.Sorted(maps.Keys(ignored)); err != nil || !slices.Equal(got, want) {
		t.Errorf("ignored are %q, %v", got, err)
	}
}
