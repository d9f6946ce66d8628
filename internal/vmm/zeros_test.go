package vmm

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

func TestPunchZeros(t *testing.T) {
	zeros := make([]byte, 3<<20)
	content := slices.Concat(zeros, []byte("in the middle"), zeros, []byte("end"))
	path := filepath.Join(t.TempDir(), "memory")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := PunchZeros(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("the content has changed: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if used := info.Sys().(*syscall.Stat_t).Blocks * 512; used > 4*holeSize {
		t.Errorf("%d bytes are on the disk", used)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := PunchZeros(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
