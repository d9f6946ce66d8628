package imagemgr

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"banger/internal/statedir"
)

func TestVerify(t *testing.T) {
	s := testStore(t)
	if _, err := pull(t.Context(), s, "-", "a", bytes.NewReader(makeTar(t, smallRootfs...))); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	if err := s.Verify(t.Context(), "b"); !errors.As(err, new(*NotFoundError)) {
		t.Errorf("none: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Verify(ended, "a"); !errors.Is(err, context.Canceled) || errors.As(err, new(*DamagedError)) {
		t.Errorf("interrupted: %v", err)
	}
	data, err := os.ReadFile(s.Rootfs("a"))
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func() error{
		"digest mismatch": func() error { return os.WriteFile(s.Rootfs("a"), append(data[:len(data)-1:len(data)-1], 'x'), 0o600) },
		"bytes":           func() error { return os.WriteFile(s.Rootfs("a"), data[1:], 0o600) },
		"no such file":    func() error { return os.Remove(s.Rootfs("a")) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		err := s.Verify(t.Context(), "a")
		if !errors.As(err, new(*DamagedError)) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestRename(t *testing.T) {
	s := testStore(t)
	for _, name := range []string{"a", "taken"} {
		if _, err := pull(t.Context(), s, "-", name, bytes.NewReader(makeTar(t, smallRootfs...))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Rename("a", "taken"); !errors.Is(err, statedir.ErrExist) {
		t.Errorf("onto another: %v", err)
	}
	if err := s.Rename("none", "b"); !errors.As(err, new(*NotFoundError)) {
		t.Errorf("none: %v", err)
	}
	if err := s.Rename("a", "B/"); err == nil {
		t.Error("to a name that none can have")
	}
	if err := s.Rename("a", "b"); err != nil {
		t.Fatal(err)
	}
	if i, err := s.Get("b"); err != nil || i.Name != "b" {
		t.Errorf("got %+v, %v", i, err)
	}
	if _, err := s.Get("a"); !errors.As(err, new(*NotFoundError)) {
		t.Errorf("the old name: %v", err)
	}
}

func TestPrune(t *testing.T) {
	s := testStore(t)
	if freed, err := s.Prune(); freed != 0 || err != nil {
		t.Errorf("nothing: %d, %v", freed, err)
	}
	reference := serve(t, imageOf(smallLayers(t)...), nil)
	if _, err := pull(t.Context(), s, reference, "a", nil); err != nil {
		t.Fatal(err)
	}
	if freed, err := s.Prune(); freed < 3*512 || err != nil {
		t.Errorf("freed %d, %v", freed, err)
	}
	if blobs, err := s.blobs.Names(); len(blobs) > 0 || err != nil {
		t.Errorf("left %q, %v", blobs, err)
	}
	if err := s.Verify(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	if _, err := pull(t.Context(), s, reference, "b", nil); err != nil {
		t.Errorf("after it: %v", err)
	}
}
