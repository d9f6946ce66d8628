package imagemgr

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"banger/internal/digest"
	"banger/internal/format/bundle"
	"banger/internal/process"
	"banger/internal/statedir"
)

func TestPack(t *testing.T) {
	if _, err := process.LookPath("zstd"); err != nil {
		t.Skip(err)
	}
	s := testStore(t)
	i, err := s.FromTar(t.Context(), TarOptions{
		Name: "debian-bookworm", KernelRef: "generic-6.12", Source: "here", Build: &Build{Base: "b"},
		Config: &Config{User: "u"}, Tar: bytes.NewReader(makeTar(t, smallRootfs...)),
	})
	if err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	packed, err := s.Pack(t.Context(), i.Name, &first)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(first.Bytes())
	want := Packed{
		Name: i.Name, Distro: "debian", Arch: i.Arch, KernelRef: "generic-6.12",
		SHA256: hex.EncodeToString(sum[:]), Size: int64(first.Len()),
	}
	if packed != want {
		t.Errorf("got %+v, want %+v", packed, want)
	}
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	files, err := bundle.Unpack(t.Context(), bytes.NewReader(first.Bytes()), root, bundled)
	if err != nil || len(files) != 2 {
		t.Fatalf("got %v, %v", files, err)
	}
	var manifest Image
	data, err := os.ReadFile(filepath.Join(dir, statedir.Manifest))
	if err == nil {
		err = json.Unmarshal(data, &manifest)
	}
	wantManifest := i
	wantManifest.Source, wantManifest.SourceDigest, wantManifest.Build, wantManifest.CreatedAt, wantManifest.BangerVersion = "", "", nil, time.Time{}, ""
	if diff := cmp.Diff(wantManifest, manifest); err != nil || diff != "" {
		t.Errorf("%v, %s", err, diff)
	}
	if _, err := s.Pack(t.Context(), "debian-bookworm", &second); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("packed twice it differs: %v", err)
	}
}

func TestPackFails(t *testing.T) {
	if _, err := process.LookPath("zstd"); err != nil {
		t.Skip(err)
	}
	s := testStore(t)
	var none *NotFoundError
	if _, err := s.Pack(t.Context(), "absent", io.Discard); !errors.As(err, &none) {
		t.Errorf("absent: %v", err)
	}
	_, err := s.FromTar(t.Context(), TarOptions{Name: "x", Tar: bytes.NewReader(makeTar(t, smallRootfs...))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Pack(ctx, "x", io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := os.Truncate(s.Rootfs("x"), 4096); err != nil {
		t.Fatal(err)
	}
	var damaged *digest.Error
	if _, err := s.Pack(t.Context(), "x", io.Discard); !errors.As(err, &damaged) {
		t.Errorf("damaged: %v", err)
	}
	if names, _ := os.ReadDir(s.tree.Dir); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}
