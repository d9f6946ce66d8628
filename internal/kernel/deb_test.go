package kernel

import (
	"archive/tar"
	"bytes"
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
