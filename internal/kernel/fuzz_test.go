package kernel

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/statedir"
)

// A release is what uname can say, wherever in a kernel it is found, and found
// alike however the kernel is read.
func FuzzRelease(f *testing.F) {
	f.Add([]byte("xLinux version 6.1.0-1 (gcc"), 0)
	f.Add([]byte("Linux version %s Linux version 5\x00 Linux version 6.1 "), 1<<20)
	f.Fuzz(func(t *testing.T, text []byte, before int) {
		data := append(make([]byte, min(max(before, 0), 3<<20)), text...)
		release, err := findRelease(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if release != "" && (!isRelease(release) || len(release) > maxRelease) {
			t.Errorf("release %q", release)
		}
		if whole := releaseIn(data); whole != release {
			t.Errorf("%q in pieces, %q as a whole", release, whole)
		}
	})
}

// An ELF file is a whole kernel or is refused.
func FuzzELF(f *testing.F) {
	f.Add(vmlinux())
	f.Add(vmlinux()[:64])
	f.Fuzz(func(_ *testing.T, data []byte) {
		checkELF(bytes.NewReader(data), int64(len(data)))
	})
}

// A package, whatever is in it, writes below the stage only, and only files and
// directories.
func FuzzTakeKernel(f *testing.F) {
	for _, name := range []string{"./boot/vmlinuz-6.1", "lib/modules/6.1/kernel/a.ko", "usr/lib/modules/6.1/../../../x", "lib/modules/6.1/vmlinuz"} {
		var archive bytes.Buffer
		w := tar.NewWriter(&archive)
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: 1}); err != nil {
			f.Fatal(err)
		}
		w.Write([]byte("x"))
		w.Close()
		f.Add(archive.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		stage, err := statedir.Tree{Kind: "kernel", Dir: filepath.Join(dir, "k")}.Stage()
		if err != nil {
			t.Fatal(err)
		}
		defer stage.Discard()
		takeKernel(t.Context(), tar.NewReader(bytes.NewReader(data)), stage)
		filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			lock := strings.HasSuffix(path, ".lock")
			if below := strings.HasPrefix(path, stage.Dir); err != nil || !below && !lock && !d.IsDir() || below && !d.IsDir() && !d.Type().IsRegular() {
				t.Errorf("%s: %v", path, err)
			}
			return nil
		})
		if _, err := os.Lstat(filepath.Join(dir, "x")); err == nil {
			t.Error("it wrote elsewhere")
		}
	})
}
