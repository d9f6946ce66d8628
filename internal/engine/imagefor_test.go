package engine

import (
	"archive/tar"
	"os"
	"path/filepath"
	"testing"

	"banger/internal/imagemgr"
	"banger/internal/ref"
)

// An image is asked for by its name, or by where it comes from, which is got once.
func TestImageFor(t *testing.T) {
	e := newEngine(t)
	addKernel(t, e, "k")
	addImage(t, e, imagemgr.Image{Name: "root", Source: "tar:/elsewhere/root.tar"})
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "root.tar"))
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(f)
	if err := w.WriteHeader(&tar.Header{Name: "etc/", Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
		t.Fatal(err)
	}
	w.Close()
	f.Close()
	t.Chdir(dir)

	first, err := e.imageFor(t.Context(), "tar:root.tar", "k", nil)
	if err != nil {
		t.Fatal(err)
	}
	i, err := e.images.Get(first)
	if err != nil || first == "root" || i.Source != "tar:"+filepath.Join(dir, "root.tar") || i.KernelRef != "k" {
		t.Errorf("got %q, %+v, %v", first, i, err)
	}
	if err := os.Remove("root.tar"); err != nil {
		t.Fatal(err)
	}
	for _, asked := range []string{"tar:root.tar", "tar:" + dir + "/root.tar"} {
		if again, err := e.imageFor(t.Context(), asked, "", nil); err != nil || again != first {
			t.Errorf("%s, the second time: %q, %v", asked, again, err)
		}
	}
	if name, err := e.imageFor(t.Context(), "tar:/elsewhere/root.tar", "", nil); err != nil || name != "root" {
		t.Errorf("what was pulled before: %q, %v", name, err)
	}
	for _, name := range []string{"root", "nothere", "Bad Name"} {
		if got, err := e.imageFor(t.Context(), name, "", nil); err != nil || got != name {
			t.Errorf("the name %q: %q, %v", name, got, err)
		}
	}
	for _, bad := range []string{"apt:linux-image-amd64", "tar:-", "-", "tar:/nothere.tar", "oci:/..."} {
		if got, err := e.imageFor(t.Context(), bad, "", nil); err == nil {
			t.Errorf("%s is %q", bad, got)
		}
	}
}

// A reference of a registry suggests a name.
func TestNameFor(t *testing.T) {
	e := newEngine(t)
	addImage(t, e, imagemgr.Image{Name: "alpine-3-20", Source: "alpine:3.20"})
	for asked, want := range map[string]string{"docker://alpine:3.20": "alpine-3-20", "quay.io/x/debian:12": "debian-12"} {
		source, err := ref.ParseSource(asked)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := e.nameFor(source); err != nil || got != want {
			t.Errorf("%s: %q, %v", asked, got, err)
		}
	}
	if got, err := e.nameFor(ref.Source{Transport: ref.Registry, Rest: "quay.io/alpine:3.20"}); err != nil || got == "alpine-3-20" {
		t.Errorf("another's name: %q, %v", got, err)
	}
}
