package agent

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"banger/internal/format/tarfile"
)

func TestPack(t *testing.T) {
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "e")
	for path, content := range map[string]string{filepath.Join(dir, "a"): "A", elsewhere: "E", filepath.Join(dir, "caf\xe9"): "L"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var out bytes.Buffer
	err = pack(root, []File{
		{Name: "a"}, {Name: "caf\xe9"}, {Name: "fifo"}, {Name: "gone"}, {Name: "a/was-a-directory"},
		{Name: "b/e", From: elsewhere}, {Name: "c", Content: []byte("C")}, {Name: "d", From: elsewhere, Content: []byte{}},
	}, &out)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for r := tar.NewReader(&out); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		content, readErr := io.ReadAll(r)
		if err := errors.Join(err, readErr); err != nil {
			t.Fatal(err)
		}
		got = append(got, h.Name+"="+string(content))
	}
	if got, want := strings.Join(got, " "), "a=A caf\xe9=L b/e=E c=C d="; got != want {
		t.Errorf("packed %q, want %q", got, want)
	}
	if err := pack(root, []File{{Name: "../a"}}, io.Discard); err == nil {
		t.Error("a name led out of the directory")
	}
}

// As zeros it would be 4 TiB.
func TestPackSparse(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "disk"), []byte("word"), 0o600), os.Truncate(filepath.Join(dir, "disk"), 4<<40)); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var out bytes.Buffer
	if err := pack(root, []File{{Name: "disk"}}, &out); err != nil || out.Len() > 1<<20 {
		t.Fatalf("%d bytes, %v", out.Len(), err)
	}
	if h, err := tar.NewReader(&out).Next(); err != nil || h.Size != 4<<40 {
		t.Errorf("%+v, %v", h, err)
	}
}

// A guest that has the directory mounted may put a pipe where a file was.
func TestPackWhatBecameAPipe(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, "file"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	tw := tarfile.NewWriter(io.Discard)
	if err := packContent(root, "file", &tar.Header{Name: "file", Size: 1}, tw); err == nil || !strings.Contains(err.Error(), "became something else") {
		t.Errorf("got %v", err)
	}
}
