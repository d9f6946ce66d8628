package untar

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banger/internal/format/tarfile"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// entry is one of a tar's.
type entry struct {
	name string
	kind byte
	mode int64
	link string
	text string
}

var then = time.Unix(1_700_000_000, 0)

func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Mode: e.mode, Linkname: e.link, Size: int64(len(e.text)), ModTime: then}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func file(name, text string) entry { return entry{name, tar.TypeReg, 0o644, "", text} }
func dir(name string, mode int64) entry {
	return entry{name, tar.TypeDir, mode, "", ""}
}
func symlink(name, to string) entry { return entry{name, tar.TypeSymlink, 0o777, to, ""} }
func hardLink(name, to string) entry {
	return entry{name, tar.TypeLink, 0o644, to, ""}
}

// tree describes what is below root: kind and mode, and text or target.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		content := ""
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			content = string(data)
		case info.Mode().Type() == fs.ModeSymlink:
			content, _ = os.Readlink(path)
		}
		got[name] = strings.TrimSpace(info.Mode().String() + " " + content)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

var me = Owner{os.Geteuid(), os.Getegid()}

func TestUnpack(t *testing.T) {
	target := filepath.Join(t.TempDir(), "a/b") // made where absent
	data := archive(t,
		dir("./", 0o755),
		dir("sub/", 0o500), // gets a file although nobody may write
		entry{"sub/run.sh", tar.TypeReg, 0o4755, "", "#!/bin/sh\n"},
		file("deep/er/file", "no entries for its directories"),
		symlink("abs", "/etc/alternatives/x"),
		symlink("up", "../../.."),
		hardLink("twin", "./sub/run.sh"),
		entry{"empty", tar.TypeReg, 0o600, "", ""},
	)
	if err := Unpack(target, me, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"sub":          "dr-x------",
		"sub/run.sh":   "-rwxr-xr-x #!/bin/sh", // setuid was for another owner
		"deep":         "drwxr-xr-x",
		"deep/er":      "drwxr-xr-x",
		"deep/er/file": "-rw-r--r-- no entries for its directories",
		"abs":          "Lrwxrwxrwx /etc/alternatives/x",
		"up":           "Lrwxrwxrwx ../../..",
		"twin":         "-rwxr-xr-x #!/bin/sh",
		"empty":        "-rw-------",
	}
	if diff := cmp.Diff(want, tree(t, target)); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"sub", "sub/run.sh", "deep/er/file"} {
		info, err := os.Stat(filepath.Join(target, name))
		if err != nil {
			t.Fatal(err)
		}
		if !info.ModTime().Equal(then) {
			t.Errorf("%s is of %v, want %v", name, info.ModTime(), then)
		}
	}
	if err := os.Chmod(filepath.Join(target, "sub"), 0o700); err != nil { // for the clean-up
		t.Fatal(err)
	}
}

func TestUnpackReplaces(t *testing.T) {
	target := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"link": outside, "dirlink": filepath.Dir(outside)} {
		if err := os.Symlink(to, filepath.Join(target, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(outside, filepath.Join(target, "hard")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(target, "kept"), 0o700); err != nil {
		t.Fatal(err)
	}
	data := archive(t, file("link", "new"), file("hard", "new"), dir("dirlink/", 0o755), file("dirlink/outside", "new"),
		dir("kept/", 0o755), file("kept/f", "new"))
	if err := Unpack(target, me, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(outside); string(got) != "precious" {
		t.Errorf("a file outside became %q", got)
	}
	want := map[string]string{
		"link": "-rw-r--r-- new", "hard": "-rw-r--r-- new",
		"dirlink": "drwxr-xr-x", "dirlink/outside": "-rw-r--r-- new",
		"kept": "drwxr-xr-x", "kept/f": "-rw-r--r-- new",
	}
	if diff := cmp.Diff(want, tree(t, target)); diff != "" {
		t.Error(diff)
	}
}

// A directory takes the place of a link that entries before went through.
func TestUnpackDirectoryForLink(t *testing.T) {
	target := t.TempDir()
	data := archive(t, dir("d/", 0o755), symlink("l", "d"), file("l/one", "1"), dir("l/", 0o755), file("l/two", "2"))
	if err := Unpack(target, me, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"d": "drwxr-xr-x", "d/one": "-rw-r--r-- 1", "l": "drwxr-xr-x", "l/two": "-rw-r--r-- 2",
	}
	if diff := cmp.Diff(want, tree(t, target)); diff != "" {
		t.Error(diff)
	}
}

func TestUnpackHostile(t *testing.T) {
	for name, entries := range map[string][]entry{
		"parent":                {file("../escaped", "x")},
		"parent inside":         {file("a/../../escaped", "x")},
		"absolute":              {file("/escaped", "x")},
		"through a link":        {symlink("l", ".."), file("l/escaped", "x")},
		"through an absolute":   {symlink("l", "/tmp"), file("l/escaped", "x")},
		"directory by a link":   {symlink("l", ".."), dir("l/escaped/", 0o755)},
		"hard link to outside":  {hardLink("l", "../secret")},
		"hard link absolute":    {hardLink("l", "/etc/passwd")},
		"hard link by a link":   {symlink("d", ".."), hardLink("l", "d/secret")},
		"hard link to nothing":  {hardLink("l", "absent")},
		"device":                {{"dev", tar.TypeBlock, 0o600, "", ""}},
		"fifo":                  {{"fifo", tar.TypeFifo, 0o600, "", ""}},
		"the directory itself":  {file(".", "x")},
		"a directory not empty": {dir("d/", 0o755), file("d/f", "x"), file("d", "x")},
		"no name":               {symlink("", "x")},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			if err := os.WriteFile(filepath.Join(parent, "secret"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := Unpack(filepath.Join(parent, "target"), me, bytes.NewReader(archive(t, entries...))); err == nil {
				t.Error("no error")
			}
			for _, path := range []string{filepath.Join(parent, "escaped"), "/escaped", "/tmp/escaped"} {
				if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: %v", path, err)
				}
			}
		})
	}
}

func TestUnpackTruncated(t *testing.T) {
	data := archive(t, file("f", strings.Repeat("x", 2000)))
	for _, n := range []int{100, 600, 1500} {
		if err := Unpack(t.TempDir(), me, bytes.NewReader(data[:n])); err == nil {
			t.Errorf("no error for the first %d bytes", n)
		}
	}
	if err := Unpack(t.TempDir(), me, strings.NewReader(strings.Repeat("no tar ", 200))); err == nil {
		t.Error("no error for what is not a tar")
	}
}

// FuzzUnpack looks for a tar that changes anything outside its directory.
func TestUnpackForAnother(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to give files away")
	}
	top := t.TempDir()
	data := archive(t,
		file("deep/er/file", "text"),
		symlink("link", "/"),
		dir("own/", 0o700),
		hardLink("own/twin", "deep/er/file"),
	)
	if err := Unpack(filepath.Join(top, "new"), Owner{54321, 12345}, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"new", "new/deep", "new/deep/er", "new/deep/er/file", "new/link", "new/own", "new/own/twin"} {
		var info unix.Stat_t
		if err := unix.Lstat(filepath.Join(top, name), &info); err != nil {
			t.Error(err)
		} else if info.Uid != 54321 || info.Gid != 12345 {
			t.Errorf("%s belongs to %d:%d", name, info.Uid, info.Gid)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(archive(f, dir("d/", 0o755), file("d/f", "x"), symlink("l", ".."), hardLink("h", "d/f")))
	f.Add(archive(f, symlink("l", ".."), file("l/escaped", "x")))
	f.Add(archive(f, file("../escaped", "x")))
	f.Add(archive(f, symlink("l", "/"), hardLink("l/x", "l/secret")))
	f.Fuzz(func(t *testing.T, data []byte) {
		parent := t.TempDir()
		if err := os.WriteFile(filepath.Join(parent, "secret"), []byte("s"), 0o600); err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(parent, "target")
		Unpack(target, me, bytes.NewReader(data))
		entries, err := os.ReadDir(parent)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name() != "target" && e.Name() != "secret" {
				t.Errorf("%q was made outside", e.Name())
			}
		}
		if got, err := os.ReadFile(filepath.Join(parent, "secret")); string(got) != "s" {
			t.Errorf("the file outside is now %q, %v", got, err)
		}
		openUp(target)
	})
}

// openUp makes directories without permissions removable.
func openUp(root string) {
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			os.Chmod(path, 0o700)
		}
		return nil
	})
}

// As zeros it would be 4 TiB.
func TestUnpackSparse(t *testing.T) {
	const size = 4 << 40
	content, err := tarfile.NewFile(size, []tarfile.Range{{Offset: size - 1000, Length: 4}}, strings.NewReader("word"))
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w := tarfile.NewWriter(&packed)
	if err := errors.Join(w.Add(&tar.Header{Name: "disk", Typeflag: tar.TypeReg, Mode: 0o644, Size: size}, content), w.Close()); err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	if err := Unpack(to, Owner{os.Getuid(), os.Getgid()}, &packed); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(to, "disk"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var stat unix.Stat_t
	word := make([]byte, 4)
	_, err = f.ReadAt(word, size-1000)
	if err := errors.Join(err, unix.Fstat(int(f.Fd()), &stat)); err != nil {
		t.Fatal(err)
	}
	if stat.Size != size || stat.Blocks > 100 || string(word) != "word" {
		t.Errorf("%d bytes in %d blocks with %q", stat.Size, stat.Blocks, word)
	}
}
