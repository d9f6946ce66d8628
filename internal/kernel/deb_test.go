package kernel

import (
	"archive/tar"
	"bytes"
	"os"
	"strings"
	"testing"

	"banger/internal/format/bundle"
	"banger/internal/statedir"
)

// A package that unpacks to more than a kernel's bundle may is refused before
// that much is read.
func TestTakeKernelBounds(t *testing.T) {
	for name, write := range map[string]func(*tar.Writer) error{
		"a file too large": func(w *tar.Writer) error {
			return w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "boot/vmlinuz-1", Size: bundle.MaxBytes + 1})
		},
		"too many files": func(w *tar.Writer) error {
			for range bundle.MaxEntries + 1 {
				if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "usr/"}); err != nil {
					return err
				}
			}
			return w.Close()
		},
	} {
		var archive bytes.Buffer
		if err := write(tar.NewWriter(&archive)); err != nil {
			t.Fatal(err)
		}
		stage, err := statedir.Tree{Kind: "kernel", Dir: t.TempDir()}.Stage()
		if err != nil {
			t.Fatal(err)
		}
		defer stage.Discard()
		if err := takeKernel(t.Context(), tar.NewReader(&archive), stage); err == nil || !strings.Contains(err.Error(), "the package holds more") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Modules that are links to others are taken with these's content; what leads
// elsewhere is left out.
func TestTakeKernelLinks(t *testing.T) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeSymlink, Name: "./lib/modules/1/weak-updates/a.ko.xz", Linkname: "../extra/a.ko.xz"},
		{Typeflag: tar.TypeSymlink, Name: "./lib/modules/1/weak-updates/b.ko", Linkname: "/lib/modules/1/extra/a.ko.xz"},
		{Typeflag: tar.TypeReg, Name: "./lib/modules/1/extra/a.ko.xz", Size: 4},
		{Typeflag: tar.TypeLink, Name: "./lib/modules/1/extra/c.ko", Linkname: "./lib/modules/1/extra/a.ko.xz"},
		{Typeflag: tar.TypeSymlink, Name: "./lib/modules/1/build", Linkname: "/usr/src/linux"},
		{Typeflag: tar.TypeSymlink, Name: "./lib/modules/1/dangling.ko", Linkname: "nowhere.ko"},
		{Typeflag: tar.TypeSymlink, Name: "./lib/modules/1/out.ko", Linkname: "../../../etc/passwd"},
	} {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			w.Write([]byte("text"))
		}
	}
	w.Close()
	stage, err := statedir.Tree{Kind: "kernel", Dir: t.TempDir()}.Stage()
	if err != nil {
		t.Fatal(err)
	}
	defer stage.Discard()
	if err := takeKernel(t.Context(), tar.NewReader(&archive), stage); err != nil {
		t.Fatal(err)
	}
	files, err := hashTree(t.Context(), stage.Path(statedir.Modules), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		if f.Size != 4 {
			t.Errorf("%+v", f)
		}
		got = append(got, f.Path)
	}
	if want := "extra/a.ko.xz extra/c.ko weak-updates/a.ko.xz weak-updates/b.ko"; strings.Join(got, " ") != want {
		t.Errorf("got %q", got)
	}
}

func TestCopyTreeLinks(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	put(t, from+"/other/extra/a.ko", []byte("text"))
	put(t, from+"/this/kernel/b.ko.gz", []byte("text"))
	for name, target := range map[string]string{
		"build": "/usr/src", "source": from + "/gone", "weak-a.ko": "../other/extra/a.ko", "again.ko.gz": "kernel/b.ko.gz",
		"linked": "../other", "up": "..", "self": ".", "dangling.ko": "nowhere", "dir.ko": "kernel", "notes": "kernel/b.ko.gz", "device.ko": "/dev/zero",
	} {
		if err := os.Symlink(target, from+"/this/"+name); err != nil {
			t.Fatal(err)
		}
	}
	if err := copyTree(t.Context(), from+"/this", to); err != nil {
		t.Fatal(err)
	}
	files, err := hashTree(t.Context(), to, nil)
	if err != nil || len(files) != 4 || files[0].Path != "again.ko.gz" || files[1].Path != "kernel/b.ko.gz" || files[2].Path != "linked/extra/a.ko" || files[3].Path != "weak-a.ko" {
		t.Errorf("got %+v, %v", files, err)
	}
}
