package tree

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// What is not what was expected is left as it is, and no other name is left behind.
func TestUnpackExpects(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	expected := map[string]Stamp{}
	for _, name := range []string{"same", "changed", "sly", "removed", "link"} {
		must(t, os.WriteFile(at(name), []byte("old"), 0o644))
		must(t, os.Chtimes(at(name), then, then))
		expected[name] = stampOf(t, at(name))
	}
	must(t, os.WriteFile(at("changed"), []byte("theirs"), 0o644))
	must(t, os.WriteFile(at("made"), []byte("theirs"), 0o644))
	must(t, os.Mkdir(at("taken"), 0o755))
	must(t, os.Remove(at("removed")))
	must(t, os.Remove(at("link")))
	must(t, os.Symlink("old", at("link")))
	for stampOf(t, at("sly")) == expected["sly"] { // as far as the file system counts time
		must(t, os.WriteFile(at("sly"), []byte("new"), 0o644))
		must(t, os.Chtimes(at("sly"), then, then))
	}
	var entries []entry
	for _, name := range []string{"same", "changed", "sly", "removed", "link", "made", "taken", "new"} {
		entries = append(entries, file(name, "ours"))
	}
	var left []string
	must(t, UnpackInto(bytes.NewReader(archive(t, entries...)), dir, false, UnpackOptions{
		Expect:  func(h *tar.Header) (Stamp, error) { return expected[h.Name], nil },
		Changed: func(name string) { left = append(left, name) },
	}))
	slices.Sort(left)
	if diff := cmp.Diff([]string{"changed", "link", "made", "sly", "taken"}, left); diff != "" {
		t.Error(diff)
	}
	want := map[string]string{
		"same": "-rw-r--r-- ours", "changed": "-rw-r--r-- theirs", "sly": "-rw-r--r-- new", "removed": "-rw-r--r-- ours",
		"link": "Lrwxrwxrwx old", "made": "-rw-r--r-- theirs", "taken": "drwxr-xr-x", "new": "-rw-r--r-- ours",
	}
	if diff := cmp.Diff(want, described(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func stampOf(t *testing.T, file string) Stamp {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Lstat(file, &st))
	return StampOf(&st)
}

// A file that somebody is writing is left out.
func TestPackNamesLeavesOut(t *testing.T) {
	dir := t.TempDir()
	looked := map[string]Stamp{}
	for _, name := range []string{"same", "changed"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("text"), 0o644))
		looked[name] = stampOf(t, filepath.Join(dir, name))
	}
	must(t, os.Truncate(filepath.Join(dir, "changed"), 0))
	must(t, os.WriteFile(filepath.Join(dir, "unknown"), []byte("text"), 0o644))
	var data bytes.Buffer
	none := func(string) Stamp { return Stamp{} }
	must(t, PackNames(&data, dir, []string{"absent", "changed", "same", "unknown"}, func(name string) Stamp { return looked[name] }, none))
	to := t.TempDir()
	placed := map[string]Stamp{}
	must(t, UnpackInto(&data, to, false, UnpackOptions{
		Expect: Recorded, Changed: func(name string) { t.Errorf("%s has changed", name) },
		Placed: func(name string, _ bool, s Stamp) { placed[name] = s },
	}))
	want := map[string]Stamp{"same": stampOf(t, filepath.Join(to, "same")), "unknown": stampOf(t, filepath.Join(to, "unknown"))}
	if diff := cmp.Diff(want, placed); diff != "" {
		t.Error(diff)
	}
}

// Where a file is put back that another was put over, the latest one stays.
func TestTakeBack(t *testing.T) {
	for name, c := range map[string]struct{ there, want string }{
		"ours is there":       {"ours", "theirs"},
		"a later one of them": {"later", "later"},
		"it was removed":      {"", "theirs"},
	} {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "temporary"), []byte("theirs"), 0o644))
		must(t, os.WriteFile(filepath.Join(dir, "ours"), []byte("ours"), 0o644))
		must(t, os.WriteFile(filepath.Join(dir, "later"), []byte("later"), 0o644))
		ours := stampOf(t, filepath.Join(dir, "ours"))
		if c.there != "" {
			must(t, os.Rename(filepath.Join(dir, c.there), filepath.Join(dir, "base")))
		}
		fd, err := unix.Open(dir, unix.O_DIRECTORY, 0)
		must(t, err)
		err = takeBack(fd, "temporary", "base", ours)
		unix.Close(fd)
		if got, _ := os.ReadFile(filepath.Join(dir, "base")); !errors.Is(err, ErrChanged) || string(got) != c.want {
			t.Errorf("%s: there is %q, %v", name, got, err)
		}
	}
}
