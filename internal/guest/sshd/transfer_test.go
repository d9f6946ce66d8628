package sshd

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"

	"banger/internal/agentapi"

	"github.com/pkg/sftp"
)

func TestSFTP(t *testing.T) {
	client, err := sftp.NewClient(dial(t))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	dir := t.TempDir()
	data := make([]byte, 1<<20)
	rand.Read(data)
	path := filepath.Join(dir, "file")
	f, err := client.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadFrom(bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, data) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if _, err := client.Stat(filepath.Join(dir, "absent")); !os.IsNotExist(err) {
		t.Errorf("an absent file: %v", err)
	}
}

func TestBangerUntar(t *testing.T) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.WriteHeader(&tar.Header{Name: "sub/file", Mode: 0o640, Size: 5}); err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("hello"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	client := dial(t)
	dir := filepath.Join(t.TempDir(), "made")
	got := request(t, client, agentapi.RequestUntar, agentapi.Untar{Dir: dir}, &archive)
	if got != (result{}) {
		t.Errorf("got %+v", got)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "sub/file")); string(text) != "hello" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestBangerUntarFails(t *testing.T) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.WriteHeader(&tar.Header{Name: "../out", Mode: 0o640}); err != nil {
		t.Fatal(err)
	}
	w.Close()
	client := dial(t)
	dir := filepath.Join(t.TempDir(), "made")
	got := request(t, client, agentapi.RequestUntar, agentapi.Untar{Dir: dir}, &archive)
	want := result{stderr: "banger: unpack into " + dir + ": \"../out\": path escapes from parent\n", status: 1}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// What fails half-way is told after what came.
func TestBangerTarFails(t *testing.T) {
	got := request(t, dial(t), agentapi.RequestTar, nil, &bytes.Buffer{})
	if want := (result{stdout: "a part", stderr: "banger: pack /etc: gone\n", status: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
