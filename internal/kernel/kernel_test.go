package kernel

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/kernel/kerneltest"
	"banger/internal/ref"
	"banger/internal/statedir"
)

const release = "6.1.0-test"

func vmlinux() []byte { return kerneltest.Vmlinux(release) }

func testStore(t *testing.T) *Store {
	t.Helper()
	return NewStore(statedir.Tree{Kind: "kernel", Dir: filepath.Join(t.TempDir(), "kernels")}, "v0")
}

// put writes a file and its directories, and returns its path.
func put(t testing.TB, path string, content []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// wantEmpty fails where the store has something, or has left something behind.
func wantEmpty(t *testing.T, s *Store) {
	t.Helper()
	if entries, _ := os.ReadDir(s.tree.Dir); len(entries) > 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestStore(t *testing.T) {
	s := testStore(t)
	if all, err := s.List(); err != nil || len(all) > 0 {
		t.Errorf("a store that is not there has %v, %v", all, err)
	}
	from := put(t, t.TempDir()+"/vmlinux", vmlinux())
	for _, name := range []string{"debian-6.12", "debian-6.1"} {
		if _, err := s.Import(t.Context(), ImportOptions{Name: name, From: from}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Import(t.Context(), ImportOptions{Name: "debian-6.1", From: from}); !errors.Is(err, statedir.ErrExist) {
		t.Errorf("took a name twice: %v", err)
	}
	all, err := s.List()
	if err != nil || len(all) != 2 || all[0].Name != "debian-6.1" || all[0].Size() != int64(len(vmlinux())) {
		t.Errorf("got %+v, %v", all, err)
	}
	var missing *NotFoundError
	if _, err := s.Get("debian-6.2"); !errors.As(err, &missing) || missing.Nearest != "debian-6.1" {
		t.Errorf("got %v", err)
	}
	if err := s.Remove("debian-6.1"); err != nil {
		t.Error(err)
	}
	if err := s.Remove("debian-6.1"); !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
	for _, foreign := range []string{"lost+found", "no-manifest"} {
		if err := os.Mkdir(s.tree.Path(foreign), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := s.List(); err != nil || len(all) != 1 {
		t.Errorf("got %v, %v", all, err)
	}
	var malformed *ref.NameError
	for _, name := range []string{"", "..", "../debian-6.12", ".stage-1"} {
		if _, err := s.Get(name); !errors.As(err, &malformed) {
			t.Errorf("get %q: %v", name, err)
		}
		if err := s.Remove(name); !errors.As(err, &malformed) {
			t.Errorf("remove %q: %v", name, err)
		}
	}
}

// A manifest that cannot be read hides no other kernel, and its own can be removed.
func TestStoreOfDamaged(t *testing.T) {
	s := testStore(t)
	put(t, s.tree.Path("damaged", statedir.Manifest), []byte("{"))
	if all, err := s.List(); err != nil || len(all) != 1 || all[0].Name != "damaged" {
		t.Errorf("a damaged manifest hides others: %v, %v", all, err)
	}
	if _, err := s.Get("damaged"); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged manifest is not seen: %v", err)
	}
	if err := s.Remove("damaged"); err != nil {
		t.Errorf("a damaged kernel cannot be removed: %v", err)
	}
}

func TestVerify(t *testing.T) {
	from := t.TempDir()
	put(t, from+"/vmlinux", vmlinux())
	put(t, from+"/initrd.img", []byte("initrd"))
	s := testStore(t)
	k, err := s.Import(t.Context(), ImportOptions{Name: "k", From: from})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(t.Context(), "k"); err != nil {
		t.Error(err)
	}
	put(t, k.Initrd(), []byte("INITRD"))
	if err := s.Verify(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "initrd.img") {
		t.Errorf("a changed file is not seen: %v", err)
	}
	if err := os.Remove(k.Initrd()); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(t.Context(), "k"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent file is not seen: %v", err)
	}
	if err := s.Verify(t.Context(), "another"); !errors.As(err, new(*NotFoundError)) {
		t.Errorf("got %v", err)
	}
}
