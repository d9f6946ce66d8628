package engine

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/format/tree"

	"github.com/google/go-cmp/cmp"
)

// laid has files, directories and links, in which SRC and DST are.
func laid(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	for _, dir := range []string{"src/sub", "src/empty", "dst", "full/src/sub", "other"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"f": "new", "g": "old", "src/a": "new", "src/sub/b": "new", "full/src/a": "old", "full/src/kept": "old", "full/src/sub/kept": "old"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"tof": "f", "tosrc": "src", "tog": "g", "todst": "dst", "tonew": "new"} {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// holds says what is in a tree: a directory ends in a slash.
func holds(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || file == root {
			return err
		}
		name, _ := filepath.Rel(root, file)
		switch {
		case d.IsDir():
			all[name+"/"] = ""
		case d.Type() == fs.ModeSymlink:
			to, _ := os.Readlink(file)
			all[name] = "-> " + to
		default:
			data, err := os.ReadFile(file)
			all[name] = string(data)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Each is a case of docker cp's documentation, or of its own tests, with what is new
// or other then.
func TestCopyRules(t *testing.T) {
	const (
		must   = "the destination directory must exist"
		onto   = "cannot copy a directory to a file"
		no     = "not a directory"
		below  = "%[1]sa=new %[1]sempty/= %[1]ssub/= %[1]ssub/b=new"
		itself = "%[1]s= " + below
	)
	for _, c := range []struct {
		src, dst string
		follow   bool
		want     string // or the error
	}{
		// A file.
		{"f", "new", false, "new=new"},
		{"f", "new/", false, must},
		{"f", "no/new", false, must},
		{"f", "g", false, "g=new"},
		{"f", "g/", false, "no directory"},
		{"f", "dst", false, "dst/f=new"},
		{"f", "dst/", false, "dst/f=new"},
		{"f", "dst/.", false, "dst/f=new"},
		{"f", "full", false, "full/f=new"},
		{"src/a", "full/src", false, "full/src/a=new"},
		{"f", "tog", false, "g=new"},
		{"f", "todst", false, "dst/f=new"},
		{"f", "tonew", false, "new=new"},
		{"f/", "new", false, no},
		{"f/.", "new", false, no},
		{"absent", "new", false, "no such file"},
		// A directory.
		{"src", "new", false, fmt.Sprintf(itself, "new/")},
		{"src", "new/", false, fmt.Sprintf(itself, "new/")},
		{"src", "no/new", false, must},
		{"src", "g", false, onto},
		{"src", "dst", false, fmt.Sprintf(itself, "dst/src/")},
		{"src/", "dst/", false, fmt.Sprintf(itself, "dst/src/")},
		{"src", "full", false, "full/src/a=new full/src/empty/= full/src/sub/b=new"},
		{"src", "todst", false, fmt.Sprintf(itself, "dst/src/")},
		{"src", "tonew", false, fmt.Sprintf(itself, "new/")},
		{"src", "tog", false, onto},
		// What is in a directory.
		{"src/.", "new", false, fmt.Sprintf(itself, "new/")},
		{"src/.", "no/new", false, must},
		{"src/.", "g", false, onto},
		{"src/.", "dst", false, fmt.Sprintf(below, "dst/")},
		{"src/.", "full/src", false, "full/src/a=new full/src/empty/= full/src/sub/b=new"},
		{"src/./.", "dst", false, fmt.Sprintf(below, "dst/")},
		{"src/sub/..", "dst", false, fmt.Sprintf(below, "dst/")},
		// A link.
		{"tof", "new", false, "new=-> f"},
		{"tof", "dst", false, "dst/tof=-> f"},
		{"tof", "new", true, "new=new"},
		{"tof", "dst", true, "dst/tof=new"},
		{"tosrc", "new", false, "new=-> src"},
		{"tosrc", "dst", false, "dst/tosrc=-> src"},
		{"tosrc", "new", true, fmt.Sprintf(itself, "new/")},
		{"tosrc", "dst", true, fmt.Sprintf(itself, "dst/tosrc/")},
		{"tosrc/.", "dst", false, fmt.Sprintf(below, "dst/")},
		{"tonew", "dst", true, "no such file"},
		// Onto what is of another kind.
		{"src", "other/", false, fmt.Sprintf(itself, "other/src/")},
		{"full/src/a", "src/sub/..", false, "src/a=old"},
		{"src/a", "full/src/sub/", false, "full/src/sub/a=new"},
		{"src/sub", "full/src/a", false, onto},
	} {
		root := laid(t)
		before := holds(t, root)
		var data bytes.Buffer
		err := tree.Pack(&data, root+"/"+c.src, tree.PackOptions{Follow: c.follow})
		if err == nil {
			err = tree.Unpack(&data, tree.Target{Path: root + "/" + c.dst, Name: nameOf(c.src)}, tree.UnpackOptions{Guarded: true})
		}
		if err != nil {
			if strings.Contains(c.want, "=") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s to %s, %v: %v, not %q", c.src, c.dst, c.follow, err, c.want)
			}
			continue
		}
		want := map[string]string{}
		for fact := range strings.SplitSeq(strings.ReplaceAll(c.want, "-> ", "->"), " ") {
			name, text, _ := strings.Cut(fact, "=")
			want[name] = strings.Replace(text, "->", "-> ", 1)
		}
		maps.Copy(before, want)
		if diff := cmp.Diff(before, holds(t, root)); diff != "" {
			t.Errorf("%s to %s, %v: %s", c.src, c.dst, c.follow, diff)
		}
	}
}
