package imagemgr

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/format/tarfile"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// exported returns an image as a tar.
func exported(t *testing.T, s *Store, name string) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := s.Export(t.Context(), ExportOptions{Name: name, Format: FormatTar, Out: &out}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// What is given away, in any format, makes an image with the same files.
func TestExport(t *testing.T) {
	s := testStore(t)
	layout := writeLayout(t, map[string]v1.Image{"v1": imageOf(awkwardLayers(t)...)})
	if _, err := pull(t.Context(), s, "oci:"+layout, "first", nil); err != nil {
		t.Fatal(err)
	}
	want := exported(t, s, "first")
	if len(want) < 3<<20 {
		t.Fatalf("the tar has %d bytes", len(want))
	}
	for _, format := range []string{FormatExt4, FormatTar, FormatOCI} {
		path := filepath.Join(t.TempDir(), "exported")
		o := ExportOptions{Name: "first", Format: format, Path: path}
		if err := s.Export(t.Context(), o); err != nil {
			t.Fatal(format, err)
		}
		if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
			t.Errorf("%s: left %v", format, entries)
		}
		again := "again-" + format
		var err error
		if format == FormatExt4 {
			_, err = s.Register(t.Context(), RegisterOptions{Name: again, Rootfs: path})
		} else {
			_, err = pull(t.Context(), s, format+":"+path, again, nil)
		}
		if err != nil {
			t.Fatal(format, err)
		}
		if !bytes.Equal(exported(t, s, again), want) {
			t.Errorf("%s: other files", format)
		}
		if err := s.Export(t.Context(), o); err == nil || !strings.Contains(err.Error(), "is there already") {
			t.Errorf("%s: written twice: %v", format, err)
		}
	}
	i, err := s.Get("again-oci")
	if diff := cmp.Diff(testConfig, i.Config); err != nil || diff != "" {
		t.Errorf("%v, %s", err, diff)
	}
}

// Others read the layout too.
func TestExportLikeUmoci(t *testing.T) {
	s := testStore(t)
	layout := writeLayout(t, map[string]v1.Image{"v0": imageOf(awkwardLayers(t)...)})
	if _, err := pull(t.Context(), s, "oci:"+layout, "v1", nil); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "layout")
	if err := s.Export(t.Context(), ExportOptions{Name: "v1", Format: FormatOCI, Path: path}); err != nil {
		t.Fatal(err)
	}
	compareWithUmoci(t, path)
}

func TestExportFails(t *testing.T) {
	s := testStore(t)
	if _, err := pull(t.Context(), s, "-", "a", bytes.NewReader(makeTar(t, smallRootfs...))); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	for name, test := range map[string]struct {
		ctx  context.Context
		o    ExportOptions
		want string
	}{
		"format":      {t.Context(), ExportOptions{Name: "a", Format: "zip"}, `the format "zip" is none of`},
		"no image":    {t.Context(), ExportOptions{Name: "b", Format: "tar"}, `no image is called "b"`},
		"no path":     {t.Context(), ExportOptions{Name: "a", Format: "oci"}, "has to have a path"},
		"no place":    {t.Context(), ExportOptions{Name: "a", Format: "tar", Path: dir + "/none/x"}, "no such file"},
		"interrupted": {ended, ExportOptions{Name: "a", Format: "oci", Path: dir + "/x"}, "context canceled"},
	} {
		if err := s.Export(test.ctx, test.o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
	if err := os.Truncate(s.Rootfs("a"), 100); err != nil {
		t.Fatal(err)
	}
	err := s.Export(t.Context(), ExportOptions{Name: "a", Format: "tar", Path: dir + "/x"})
	if !errors.As(err, new(*DamagedError)) {
		t.Errorf("a damaged image: %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("left %v", entries)
	}
}

// A file of holes costs nothing on its way into an image and out of it, in any
// format; as zeros it would be 4 TiB.
func TestSparseFilesStaySparse(t *testing.T) {
	const size = 4 << 40
	dir := t.TempDir()
	f, err := os.OpenFile(filepath.Join(dir, "lastlog"), os.O_RDWR|os.O_CREATE, 0o755) // which is looked into
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("word"), size-1000); err != nil {
		t.Fatal(err)
	}
	content, err := tarfile.Open(f, size)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w := tarfile.NewWriter(&packed)
	if err := errors.Join(w.Add(&tar.Header{Name: "lastlog", Typeflag: tar.TypeReg, Mode: 0o755, Size: size}, content), w.Close()); err != nil {
		t.Fatal(err)
	}
	s := testStore(t)
	if _, err := pull(t.Context(), s, "tar:-", "first", &packed); err != nil {
		t.Fatal(err)
	}
	want := exported(t, s, "first")
	if len(want) > 100_000 {
		t.Fatalf("the tar has %d bytes", len(want))
	}
	for _, format := range []string{FormatExt4, FormatTar, FormatOCI} {
		path, again := filepath.Join(dir, format), "again-"+format
		if err := s.Export(t.Context(), ExportOptions{Name: "first", Format: format, Path: path}); err != nil {
			t.Fatal(format, err)
		}
		if format == FormatExt4 {
			_, err = s.Register(t.Context(), RegisterOptions{Name: again, Rootfs: path})
		} else {
			_, err = pull(t.Context(), s, format+":"+path, again, nil)
		}
		if err != nil {
			t.Fatal(format, err)
		}
		fsck(t, s.Rootfs(again))
		if !bytes.Equal(exported(t, s, again), want) {
			t.Errorf("%s: other files", format)
		}
	}
}
