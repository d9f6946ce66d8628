package statedir

import (
	"errors"
	"io"
	"math"
	"path/filepath"
	"syscall"
	"testing"
)

func TestRoom(t *testing.T) {
	dir := t.TempDir()
	r := &Room{Dir: dir}
	for range 3 {
		if err := r.Take(1); err != nil {
			t.Fatal(err)
		}
	}
	err := r.Take(math.MaxInt64 / 2)
	full, ok := errors.AsType[*NoSpaceError](err)
	if !ok || full.Dir != dir || full.Free <= 0 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	if err := r.Take(1); err != nil {
		t.Errorf("after what was too much: %v", err)
	}
	if _, err := r.Writer(io.Discard).Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if err := CheckSpace(dir, math.MaxInt64/2); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	if err := CheckSpace(filepath.Join(dir, "absent"), 1<<60); err != nil {
		t.Errorf("what cannot be asked is no full disk: %v", err)
	}
}

// What is too long to be read back is not written.
func TestJSONBounds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.json")
	if err := WriteJSON(path, string(make([]byte, maxJSON))); !errors.Is(err, errTooLong) {
		t.Errorf("written: %v", err)
	}
	if err := WriteFile(path, append([]byte(`"`), make([]byte, maxJSON)...)); err != nil {
		t.Fatal(err)
	}
	var v string
	if err := ReadJSON(path, &v); !errors.Is(err, errTooLong) {
		t.Errorf("read: %v", err)
	}
}
