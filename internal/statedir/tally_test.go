package statedir

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTally(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, size int) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a := file("one/a", 64<<10)
	file("two/b", 32<<10)
	if err := os.Link(a, filepath.Join(dir, "two/link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file("two/hole", 0), 1<<40); err != nil {
		t.Fatal(err)
	}
	var tally Tally
	one, two, none := tally.Add(filepath.Join(dir, "one")), tally.Add(filepath.Join(dir, "two")), tally.Add(filepath.Join(dir, "absent"))
	if one < 64<<10 || one > 96<<10 || two < 32<<10 || two > 64<<10 || none != 0 {
		t.Errorf("got %d, %d and %d", one, two, none)
	}
	if again := tally.Add(dir); again > 16<<10 { // the directory itself
		t.Errorf("counted twice: %d", again)
	}
}

func TestShare(t *testing.T) {
	var tally Tally
	tally.shared = map[uint64][]span{}
	for _, tt := range []struct {
		s    span
		want uint64
	}{
		{span{100, 200}, 100}, {span{100, 200}, 0}, {span{150, 250}, 50}, {span{300, 400}, 100},
		{span{0, 1000}, 750}, {span{1000, 1001}, 1}, {span{5, 10}, 0}, {span{2000, 2000}, 0},
	} {
		if got := tally.share(1, tt.s); got != tt.want {
			t.Errorf("%v: got %d, want %d", tt.s, got, tt.want)
		}
	}
	if got := tally.share(2, span{0, 10}); got != 10 {
		t.Errorf("of another device: %d", got)
	}
}
