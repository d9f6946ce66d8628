// Package digest compares content with what its digest promises, in any
// algorithm that the OCI image specification registers.
package digest

import (
	"encoding/hex"
	"fmt"
	"hash"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Error says that something is not what its digest promises.
type Error struct{ Want, Got string }

func (e *Error) Error() string {
	return fmt.Sprintf("digest mismatch: %s is expected, the content has %s", e.Want, e.Got)
}

// Checker hashes what is written to it.
type Checker struct {
	hash.Hash
	want v1.Hash
}

// New is for content whose digest is want. It fails where the algorithm is not
// known.
func New(want v1.Hash) (Checker, error) {
	h, err := v1.Hasher(want.Algorithm)
	if err != nil {
		return Checker{}, fmt.Errorf("digest %s: %w", want, err)
	}
	return Checker{h, want}, nil
}

// Verify is called when all content was written. The error is an *Error.
func (c Checker) Verify() error {
	got := v1.Hash{Algorithm: c.want.Algorithm, Hex: hex.EncodeToString(c.Sum(nil))}
	if got != c.want {
		return &Error{Want: c.want.String(), Got: got.String()}
	}
	return nil
}

// Check compares data with a digest as it is written, such as sha256:0a...
func Check(data []byte, want string) error {
	h, err := v1.NewHash(want)
	if err != nil {
		return fmt.Errorf("digest %s: %w", want, err)
	}
	c, err := New(h)
	if err != nil {
		return err
	}
	c.Write(data)
	return c.Verify()
}
