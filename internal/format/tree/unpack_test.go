package tree

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	pax  map[string]string
}

var then = time.Unix(1_700_000_000, 123_456_789)

func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		h := &tar.Header{
			Name: e.name, Typeflag: e.kind, Mode: e.mode, Linkname: e.link, Size: int64(len(e.text)), ModTime: then,
			PAXRecords: e.pax, Format: tar.FormatPAX,
		}
		if e.kind == tar.TypeXGlobalHeader {
			h = &tar.Header{Typeflag: e.kind, PAXRecords: e.pax}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

var linked = map[string]string{linkedKey: "1"}

func file(name, text string) entry {
	return entry{name: name, kind: tar.TypeReg, mode: 0o644, text: text}
}
func linkedFile(name, text string) entry { return entry{name, tar.TypeReg, 0o644, "", text, linked} }
func folder(name string, mode int64) entry {
	return entry{name: name, kind: tar.TypeDir, mode: mode}
}
func symlink(name, to string) entry {
	return entry{name: name, kind: tar.TypeSymlink, mode: 0o777, link: to}
}
func hardLink(name, to string) entry {
	return entry{name: name, kind: tar.TypeLink, mode: 0o644, link: to}
}
func special(name string, kind byte) entry { return entry{name: name, kind: kind, mode: 0o644} }

var top = folder(".", 0o755)

// described says what is below root: kind and mode, and text or target.
func described(t testing.TB, root string) map[string]string {
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

// openUp makes directories without permissions readable.
func openUp(root string) {
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			os.Chmod(path, 0o700)
		}
		return nil
	})
}

var replacing = UnpackOptions{Owner: &Owner{os.Geteuid(), os.Getegid()}, Replace: true}

func TestUnpackInto(t *testing.T) {
	target := filepath.Join(t.TempDir(), "a/b") // made where absent
	data := archive(t,
		folder("./", 0o755),
		folder("sub/", 0o500), // gets a file although nobody may write
		entry{name: "sub/run.sh", kind: tar.TypeReg, mode: 0o4755, text: "#!/bin/sh\n"},
		file("deep/er/file", "no entries for its directories"),
		symlink("abs", "/etc/alternatives/x"),
		symlink("up", "../../.."),
		hardLink("twin", "./sub/run.sh"),
		entry{name: "empty", kind: tar.TypeReg, mode: 0o600},
		special("pipe", tar.TypeFifo),
	)
	if err := UnpackInto(bytes.NewReader(data), target, true, replacing); err != nil {
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
		"pipe":         "prw-r--r--",
	}
	if diff := cmp.Diff(want, described(t, target)); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"sub", "sub/run.sh", "deep/er/file", "abs"} {
		info, err := os.Lstat(filepath.Join(target, name))
		if err != nil {
			t.Fatal(err)
		}
		if !info.ModTime().Equal(then) {
			t.Errorf("%s is of %v, want %v", name, info.ModTime(), then)
		}
	}
	openUp(target)
}

func TestUnpackReplaces(t *testing.T) {
	target := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside")
	must(t, os.WriteFile(outside, []byte("precious"), 0o600))
	must(t, os.Symlink(outside, filepath.Join(target, "link")))
	must(t, os.Symlink(filepath.Dir(outside), filepath.Join(target, "dirlink")))
	must(t, os.Symlink(filepath.Dir(outside), filepath.Join(target, "through")))
	must(t, os.Link(outside, filepath.Join(target, "hard")))
	must(t, os.Mkdir(filepath.Join(target, "kept"), 0o700))
	must(t, os.Mkdir(filepath.Join(target, "empty"), 0o700))
	data := archive(t, file("link", "new"), file("hard", "new"), folder("dirlink/", 0o755), file("dirlink/outside", "new"),
		folder("kept/", 0o755), file("kept/f", "new"), file("through/f", "new"), file("empty", "new"))
	if err := UnpackInto(bytes.NewReader(data), target, false, replacing); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(outside); string(got) != "precious" {
		t.Errorf("a file outside became %q", got)
	}
	want := map[string]string{
		"link": "-rw-r--r-- new", "hard": "-rw-r--r-- new", "empty": "-rw-r--r-- new",
		"dirlink": "drwxr-xr-x", "dirlink/outside": "-rw-r--r-- new",
		"through": "drwxr-xr-x", "through/f": "-rw-r--r-- new",
		"kept": "drwxr-xr-x", "kept/f": "-rw-r--r-- new",
	}
	if diff := cmp.Diff(want, described(t, target)); diff != "" {
		t.Error(diff)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestUnpackForAnother(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to give files away")
	}
	parent := t.TempDir()
	data := archive(t, linkedFile("deep/er/file", "text"), symlink("link", "/"), folder("own/", 0o700),
		hardLink("own/twin", "deep/er/file"), special("pipe", tar.TypeFifo))
	with := UnpackOptions{Owner: &Owner{54321, 12345}, Replace: true}
	must(t, UnpackInto(bytes.NewReader(data), filepath.Join(parent, "new"), true, with))
	for _, name := range []string{"new", "new/deep", "new/deep/er", "new/deep/er/file", "new/link", "new/own", "new/own/twin", "new/pipe"} {
		var info unix.Stat_t
		if err := unix.Lstat(filepath.Join(parent, name), &info); err != nil {
			t.Error(err)
		} else if info.Uid != 54321 || info.Gid != 12345 {
			t.Errorf("%s belongs to %d:%d", name, info.Uid, info.Gid)
		}
	}
}

// An archive that root keeps as it is has owners, setuid bits and devices.
func TestUnpackKeeps(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to give files away")
	}
	var data bytes.Buffer
	w := tar.NewWriter(&data)
	for _, h := range []*tar.Header{
		{Name: ".", Typeflag: tar.TypeDir, Mode: 0o2755, Uid: 12, Gid: 34},
		{Name: "su", Typeflag: tar.TypeReg, Mode: 0o4755, Uid: 12, Gid: 34},
		{Name: "null", Typeflag: tar.TypeChar, Mode: 0o666, Uid: 12, Gid: 34, Devmajor: 1, Devminor: 3},
	} {
		must(t, w.WriteHeader(h))
	}
	must(t, w.Close())
	target := filepath.Join(t.TempDir(), "new")
	must(t, Unpack(&data, Target{Path: target}, UnpackOptions{Keep: true, Guarded: true}))
	for name, mode := range map[string]uint32{".": unix.S_IFDIR | 0o2755, "su": unix.S_IFREG | 0o4755, "null": unix.S_IFCHR | 0o666} {
		var st unix.Stat_t
		must(t, unix.Lstat(filepath.Join(target, name), &st))
		if st.Uid != 12 || st.Gid != 34 || st.Mode != mode {
			t.Errorf("%s is of %d:%d with mode %o", name, st.Uid, st.Gid, st.Mode)
		}
	}
}

// What is cut off leaves no half of a file, under whatever name, and an old one as it was.
func TestUnpackCutOff(t *testing.T) {
	whole := archive(t, top, file("first", "whole"), file("second", strings.Repeat("x", 300_000)))
	for _, onto := range []string{"", "old"} {
		for at := 700; at < len(whole)-2048; at += 20_011 {
			target := filepath.Join(t.TempDir(), "new")
			if onto != "" {
				must(t, os.Mkdir(target, 0o755))
				must(t, os.WriteFile(filepath.Join(target, "second"), []byte(onto), 0o600))
			}
			err := Unpack(bytes.NewReader(whole[:at]), Target{Path: target}, UnpackOptions{Guarded: true})
			if err == nil && at%512 != 0 {
				t.Errorf("no error for the first %d bytes", at)
			}
			got, _ := os.ReadFile(filepath.Join(target, "second"))
			entries, _ := os.ReadDir(target)
			if string(got) != onto || len(entries) > 2 {
				t.Errorf("of %d bytes there are %d of a file, and %v", at, len(got), entries)
			}
		}
	}
	if err := Unpack(strings.NewReader(strings.Repeat("no tar ", 200)), Target{Path: t.TempDir()}, UnpackOptions{}); !errors.Is(err, tar.ErrHeader) {
		t.Errorf("what is no tar: %v", err)
	}
}
