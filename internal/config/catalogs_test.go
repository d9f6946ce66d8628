package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"banger/internal/catalog"
)

func written(t *testing.T, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func none(string) string { return "" }

func TestCatalogs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "banger")
	lab := catalog.Source{Name: "lab", Kernels: "/srv/kernels.json"}
	far := catalog.Source{Name: "far", Images: "http://far.example/c.json", Insecure: true}
	for _, s := range []catalog.Source{lab, far} {
		if err := AddCatalog(dir, s); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load(dir, none)
	if err != nil || !slices.Equal(c.Catalogs, []catalog.Source{lab, far}) {
		t.Fatalf("got %+v, %v", c.Catalogs, err)
	}
	if err := AddCatalog(dir, lab); err == nil || !strings.Contains(err.Error(), "two catalogs") {
		t.Errorf("took a name twice: %v", err)
	}
	if err := RemoveCatalog(dir, "lab"); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(dir, none); err != nil || !slices.Equal(c.Catalogs, []catalog.Source{far}) {
		t.Errorf("got %+v, %v", c.Catalogs, err)
	}
	var missing *NoCatalogError
	if err := RemoveCatalog(dir, "lab"); !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
	if err := RemoveCatalog(dir, "far"); err != nil {
		t.Error(err)
	}
}

// What the user wrote is kept, comments included.
func TestCatalogsKeepTheRest(t *testing.T) {
	dir := t.TempDir()
	const before, after = "# mine\ncpus = 4 # enough", "\n# the other\n[[catalog]]\nname = \"b\"\nkernels = \"/b\"\n"
	text := before + "\n\n[[catalog]] # a\nname = \"a\"\nkernels = \"/a\"\n" + after
	if err := os.WriteFile(filepath.Join(dir, FileName), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := RemoveCatalog(dir, "a"); err != nil {
		t.Fatal(err)
	}
	if got := written(t, dir); !strings.HasPrefix(got, before+"\n") || !strings.Contains(got, "[[catalog]]\nname = \"b\"") {
		t.Errorf("got %q", got)
	}
	if err := AddCatalog(dir, catalog.Source{Name: "c", Kernels: "/c"}); err != nil {
		t.Fatal(err)
	}
	c, err := Load(dir, none)
	if err != nil || len(c.Catalogs) != 2 || c.CPUs != 4 || !strings.HasPrefix(written(t, dir), before+"\n") {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestCatalogsRefuse(t *testing.T) {
	for text, want := range map[string]string{
		"catalog = [{name = \"a\", kernels = \"/a\"}]\n": "edit it by hand",
		"cpus = [": "read ",
		"[[catalog]]\nname = \"a\"\nkernels = \"\"\"\n[x]\n/a\"\"\"": "neither a URL nor an absolute path",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, FileName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := AddCatalog(dir, catalog.Source{Name: "b", Kernels: "/b"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", text, err)
		}
		if written(t, dir) != text {
			t.Errorf("%q was changed", text)
		}
	}
	if err := AddCatalog(t.TempDir(), catalog.Source{Name: "b", Kernels: "http://b.example/c.json"}); err == nil {
		t.Error("took a catalog without a signature")
	}
}

func TestLoadChecksCatalogs(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName), []byte("[[catalog]]\nname = \"a\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir, none); err == nil || !strings.Contains(err.Error(), "neither kernels nor images") {
		t.Errorf("got %v", err)
	}
}

// Those who change the configuration at once lose nothing of each other's, and a
// link to it stays one.
func TestCatalogsAtOnce(t *testing.T) {
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "dotfiles.toml")
	if err := os.WriteFile(elsewhere, []byte("cpus = 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(dir, FileName)); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if err := AddCatalog(dir, catalog.Source{Name: fmt.Sprintf("c%d", i), Kernels: "/k"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	text, err := os.ReadFile(elsewhere)
	if err != nil || strings.Count(string(text), "[[catalog]]") != 20 || !strings.HasPrefix(string(text), "cpus = 3\n") {
		t.Errorf("got %q, %v", text, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("there are %v, %v", entries, err)
	}
}
