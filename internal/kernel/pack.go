package kernel

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"banger/internal/format/bundle"
	"banger/internal/process"
)

// Packed tells what Pack wrote, as an entry of a catalog says it.
type Packed struct {
	Name          string `json:"name"`
	Distro        string `json:"distro"`
	Arch          string `json:"arch"`
	KernelVersion string `json:"kernel_version"`
	SHA256        string `json:"sha256"` // of the bundle
	Size          int64  `json:"size"`   // of the bundle, in bytes
}

// compress compresses a part of a bundle: nothing in Go compresses a kernel as well.
func compress(ctx context.Context, piece []byte) ([]byte, error) {
	return process.Zstd(ctx, 19, piece)
}

// Pack writes the named kernel to w as a bundle, the same bytes for the same
// kernel. A damaged kernel is not packed.
func (s *Store) Pack(ctx context.Context, name string, w io.Writer) (Packed, error) {
	k, err := s.Get(name)
	if err != nil {
		return Packed{}, err
	}
	if err := s.Verify(ctx, name); err != nil {
		return Packed{}, err
	}
	digest, size := sha256.New(), new(counter)
	if err := k.pack(ctx, io.MultiWriter(w, digest, size)); err != nil {
		return Packed{}, fmt.Errorf("pack kernel %q: %w", name, err)
	}
	return Packed{
		Name: k.Name, Distro: k.Distro, Arch: k.Arch, KernelVersion: k.KernelVersion,
		SHA256: hex.EncodeToString(digest.Sum(nil)), Size: int64(*size),
	}, nil
}

func (k Kernel) pack(ctx context.Context, w io.Writer) error {
	root, err := os.OpenRoot(k.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return bundle.Pack(ctx, w, root, bundled, compress)
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
