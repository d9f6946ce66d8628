package kernel

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"banger/internal/kernel/kerneltest"
)

// A kernel that goes while it is verified is gone, and not damaged.
func TestVerifyBesideRemove(t *testing.T) {
	s := testStore(t)
	file := filepath.Join(t.TempDir(), "vmlinux")
	if err := os.WriteFile(file, kerneltest.Vmlinux("6.12.1"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	changed := make(chan error, 1)
	go func() {
		defer cancel()
		for range 50 {
			_, err := s.Import(t.Context(), ImportOptions{Name: "k", From: file})
			if err == nil {
				err = s.Remove("k")
			}
			if err != nil {
				changed <- err
				return
			}
		}
		changed <- nil
	}()
	for ctx.Err() == nil {
		err := s.Verify(ctx, "k")
		if err != nil && !errors.As(err, new(*NotFoundError)) && !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	if err := <-changed; err != nil {
		t.Error(err)
	}
}
