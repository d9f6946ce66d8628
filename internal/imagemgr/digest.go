package imagemgr

import (
	"context"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"banger/internal/digest"
)

// check reads all of p and compares it with what its digest promises. It
// leaves p at its start.
func check(ctx context.Context, p part, want v1.Hash) error {
	sum, err := digest.New(want)
	if err != nil {
		return err
	}
	if _, err := io.Copy(sum, interruptible{ctx, p}); err != nil {
		return err
	}
	if err := sum.Verify(); err != nil {
		return err
	}
	_, err = p.Seek(0, io.SeekStart)
	return err
}
