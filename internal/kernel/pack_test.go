package kernel

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"path/filepath"
	"testing"

	"banger/internal/process"
)

func needZstd(t *testing.T) {
	t.Helper()
	if _, err := process.LookPath("zstd"); err != nil {
		t.Skip(err)
	}
}

// imported returns a store with a kernel that has modules.
func imported(t *testing.T) *Store {
	t.Helper()
	from := t.TempDir()
	put(t, filepath.Join(from, "vmlinux"), vmlinux())
	put(t, filepath.Join(from, "modules/modules.builtin"), []byte("kernel/fs/ext4/ext4.ko\n"))
	s := testStore(t)
	if _, err := s.Import(t.Context(), ImportOptions{Name: "generic-6.1", From: from, Distro: "generic"}); err != nil {
		t.Fatal(err)
	}
	return s
}

// What is packed is what is pulled, and is the same whenever it is packed.
func TestPack(t *testing.T) {
	needZstd(t)
	s := imported(t)
	var first, second bytes.Buffer
	packed, err := s.Pack(t.Context(), "generic-6.1", &first)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(first.Bytes())
	want := Packed{
		Name: "generic-6.1", Distro: "generic", Arch: Arch, KernelVersion: release,
		SHA256: hex.EncodeToString(sum[:]), Size: int64(first.Len()),
	}
	if packed != want {
		t.Errorf("got %+v, want %+v", packed, want)
	}
	if _, err := s.Pack(t.Context(), "generic-6.1", &second); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("packed twice it differs: %v", err)
	}
	h := serveBundle(t, first.Bytes(), nil)
	to := testStore(t)
	k, _, err := to.PullCatalog(t.Context(), pullOptions(entryFor(h, first.Bytes())))
	if err != nil {
		t.Fatal(err)
	}
	before, err := s.Get("generic-6.1")
	if err != nil || len(k.Files) != len(before.Files) {
		t.Fatalf("got %+v of %+v, %v", k.Files, before.Files, err)
	}
	for i, f := range before.Files {
		if k.Files[i] != f {
			t.Errorf("got %+v, want %+v", k.Files[i], f)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

var errFull = errors.New("no space")

func TestPackRefuses(t *testing.T) {
	needZstd(t)
	s := imported(t)
	if _, err := s.Pack(t.Context(), "generic-6.2", io.Discard); !errors.As(err, new(*NotFoundError)) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Pack(t.Context(), "generic-6.1", fullDisk{}); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
	k, err := s.Get("generic-6.1")
	if err != nil {
		t.Fatal(err)
	}
	put(t, k.Vmlinux(), []byte("damaged"))
	if _, err := s.Pack(t.Context(), "generic-6.1", io.Discard); err == nil {
		t.Error("packed a damaged kernel")
	}
}
