package imagemgr

import (
	"context"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// hashed is content that is compared with what its digest promises, in any
// algorithm that the image specification registers.
type hashed struct {
	hash.Hash
	want v1.Hash
}

func newHashed(want v1.Hash) (hashed, error) {
	h, err := v1.Hasher(want.Algorithm)
	if err != nil {
		return hashed{}, fmt.Errorf("digest %s: %w", want, err)
	}
	return hashed{h, want}, nil
}

// verify is called when all content was written.
func (h hashed) verify() error {
	got := v1.Hash{Algorithm: h.want.Algorithm, Hex: hex.EncodeToString(h.Sum(nil))}
	if got != h.want {
		return &DigestError{Want: h.want.String(), Got: got.String()}
	}
	return nil
}

// check reads all of p and compares it with what its digest promises. It
// leaves p at its start.
func check(ctx context.Context, p part, want v1.Hash) error {
	sum, err := newHashed(want)
	if err != nil {
		return err
	}
	if _, err := io.Copy(sum, interruptible{ctx, p}); err != nil {
		return err
	}
	if err := sum.verify(); err != nil {
		return err
	}
	_, err = p.Seek(0, io.SeekStart)
	return err
}

// DigestError says that something is not what its digest promises.
type DigestError struct{ Want, Got string }

func (e *DigestError) Error() string {
	return fmt.Sprintf("digest mismatch: %s is expected, the content has %s", e.Want, e.Got)
}
