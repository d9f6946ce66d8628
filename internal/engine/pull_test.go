package engine

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"banger/internal/catalog"
	"banger/internal/config"
	"banger/internal/process"
)

// site has the bundles of a kernel and of an image, lab-6.12 and golden, and
// catalogs of them.
type site struct {
	url     string
	bundles map[string][]byte // by path
	kernels string            // the catalog's file
	images  string
}

func newSite(t *testing.T) *site {
	t.Helper()
	if _, err := process.LookPath("zstd"); err != nil {
		t.Skip("packing needs zstd")
	}
	dir := t.TempDir()
	s := &site{bundles: map[string][]byte{}, kernels: filepath.Join(dir, "kernels.json"), images: filepath.Join(dir, "images.json")}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write(s.bundles[r.URL.Path])
	}))
	t.Cleanup(server.Close)
	s.url = server.URL

	maker := newEngine(t)
	addKernel(t, maker, "lab-6.12")
	root := filepath.Join(dir, "golden.tar")
	writeTar(t, root)
	if _, err := maker.PullImage(t.Context(), PullImageOptions{Reference: "tar:" + root}); err != nil {
		t.Fatal(err)
	}
	k := s.add(t, "/kernel", func(ctx context.Context, w io.Writer) (string, int64, error) {
		p, err := maker.PackKernel(ctx, "lab-6.12", w)
		return p.SHA256, p.Size, err
	})
	i := s.add(t, "/image", func(ctx context.Context, w io.Writer) (string, int64, error) {
		p, err := maker.PackImage(ctx, "golden", w)
		return p.SHA256, p.Size, err
	})
	writeCatalog(t, s.kernels, `"name": "lab-6.12", "kernel_version": "6.12.1", `+k)
	writeCatalog(t, s.images, `"name": "golden", "kernel_ref": "lab-6.12", `+i)
	return s
}

// add serves a bundle and returns the fields of its entry.
func (s *site) add(t *testing.T, path string, pack func(context.Context, io.Writer) (string, int64, error)) string {
	t.Helper()
	var bundle bytes.Buffer
	sum, size, err := pack(t.Context(), &bundle)
	if err != nil {
		t.Fatal(err)
	}
	s.bundles[path] = bundle.Bytes()
	return fmt.Sprintf(`"tarball_url": "%s%s", "tarball_sha256": %q, "size_bytes": %d`, s.url, path, sum, size)
}

func writeCatalog(t *testing.T, file, entry string) {
	t.Helper()
	text := `{"version": 1, "entries": [{"distro": "lab", "arch": "x86_64", "description": "", ` + entry + `}]}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func writeTar(t *testing.T, file string) {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	const text = "ID=lab\n"
	w.WriteHeader(&tar.Header{Name: "etc/os-release", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))})
	io.WriteString(w, text)
	w.Close()
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *site) user(t *testing.T) *Engine {
	e := newEngine(t)
	e.Config.Catalogs = []catalog.Source{{Name: "lab", Kernels: s.kernels, Images: s.images}}
	return e
}

func TestPullKernel(t *testing.T) {
	s := newSite(t)
	e := s.user(t)
	pull := func(want KernelOutcome) {
		t.Helper()
		got, err := e.PullKernel(t.Context(), PullKernelOptions{Reference: "lab-6.12"})
		if err != nil || got.Outcome != want || got.Name != "lab-6.12" || got.Kernel.KernelVersion != "6.12.1" {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	pull(KernelPulled)
	pull(KernelPresent)
	if _, err := e.PullKernel(t.Context(), PullKernelOptions{Reference: "lab-6.12", Name: "other"}); !errors.Is(err, ErrFixedName) {
		t.Errorf("got %v", err)
	}
	if _, err := e.PullKernel(t.Context(), PullKernelOptions{Reference: "oci:dir"}); !isA[*NoSourceError](err) {
		t.Errorf("got %v", err)
	}

	offers, err := e.KernelUpdates(t.Context(), nil)
	if err != nil || len(offers) != 1 {
		t.Errorf("got %v, %v", offers, err)
	}
	writeCatalog(t, s.kernels, `"name": "lab-6.12", "kernel_version": "6.12.2", "tarball_url": "https://lab.example/x",
		"tarball_sha256": "`+strings.Repeat("0", 64)+`", "size_bytes": 5`)
	pull(KernelOutdated)
	e.Config.Catalogs = nil
	pull(KernelUnlisted)
	if _, err := e.PullKernel(t.Context(), PullKernelOptions{Reference: "lab-6.12", Force: true}); !isA[*catalog.NotFoundError](err) {
		t.Errorf("got %v", err)
	}
}

// An image brings its kernel along, and a user's first one is a catalog's where
// one has it.
func TestPullImage(t *testing.T) {
	s := newSite(t)
	e := s.user(t)
	var heard []string
	events := func(event Event) {
		if k, ok := event.(KernelPull); ok {
			heard = append(heard, k.Name)
		}
	}
	for _, present := range []bool{false, true} {
		got, err := e.PullImage(t.Context(), PullImageOptions{Reference: "golden", Events: events})
		if err != nil || got.Present != present || got.Image.KernelRef != "lab-6.12" {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	if !slices.Equal(heard, []string{"lab-6.12"}) {
		t.Errorf("heard of %v", heard)
	}

	first := s.user(t)
	first.Config.Image = "golden"
	v, err := first.CreateVM(t.Context(), first.VMDefaults(), nil, nil)
	if err != nil || v.Image != "golden" || v.Kernel != "lab-6.12" {
		t.Errorf("got %+v, %v", v, err)
	}

	without := s.user(t)
	without.Config.Catalogs[0].Kernels = ""
	if _, err := without.PullImage(t.Context(), PullImageOptions{Reference: "golden"}); !isA[*ImageKernelError](err) {
		t.Errorf("got %v", err)
	}
}

// One catalog that cannot be read is said, and hides no other.
func TestFaultyCatalog(t *testing.T) {
	s := newSite(t)
	e := s.user(t)
	e.Config.KernelCatalog = filepath.Join(t.TempDir(), "absent.json") + "," + s.kernels
	var warnings []error
	all, err := e.AvailableKernels(t.Context(), func(event Event) {
		if w, ok := event.(Warning); ok {
			warnings = append(warnings, w.Err)
		}
	})
	if err != nil || len(warnings) != 1 || !errors.Is(warnings[0], os.ErrNotExist) {
		t.Errorf("got %v, %v", warnings, err)
	}
	if !slices.ContainsFunc(all, func(k AvailableKernel) bool { return k.Name == "lab-6.12" && k.State == "available" }) {
		t.Errorf("got %+v", all)
	}
	if _, err := e.RefreshCatalog(t.Context(), "none", nil); !isA[*config.NoCatalogError](err) {
		t.Errorf("got %v", err)
	}
}
