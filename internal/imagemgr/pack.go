package imagemgr

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"banger/internal/digest"
	"banger/internal/format/bundle"
	"banger/internal/process"
	"banger/internal/statedir"
)

// bundled is what an image's bundle holds.
var bundled = bundle.Options{Files: []string{statedir.Rootfs, statedir.Manifest}}

// compress compresses a part of a bundle.
func compress(ctx context.Context, piece []byte) ([]byte, error) {
	return process.Zstd(ctx, 10, piece)
}

// Packed tells what Pack wrote, as an entry of a catalog says it.
type Packed struct {
	Name      string `json:"name"`
	Distro    string `json:"distro"`
	Arch      string `json:"arch"`
	KernelRef string `json:"kernel_ref"`
	SHA256    string `json:"sha256"` // of the bundle
	Size      int64  `json:"size"`   // of the bundle, in bytes
}

// Pack writes the named image to w as a bundle, the same bytes for the same
// image. A damaged image is not packed.
func (s *Store) Pack(ctx context.Context, name string, w io.Writer) (Packed, error) {
	i, err := s.Get(name)
	if err != nil {
		return Packed{}, err
	}
	sum, n := sha256.New(), new(counter)
	if err := s.pack(ctx, i, io.MultiWriter(w, sum, n)); err != nil {
		return Packed{}, fmt.Errorf("pack image %q: %w", name, err)
	}
	return Packed{
		Name: i.Name, Distro: i.Distro, Arch: i.Arch, KernelRef: i.KernelRef,
		SHA256: digestOf(sum)[len("sha256:"):], Size: int64(*n),
	}, nil
}

func (s *Store) pack(ctx context.Context, i Image, w io.Writer) error {
	stage, err := s.tree.Stage()
	if err != nil {
		return err
	}
	defer stage.Discard()
	if err := s.stageBundle(ctx, stage, i); err != nil {
		return err
	}
	root, err := os.OpenRoot(stage.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return bundle.Pack(ctx, w, root, bundled, compress)
}

// stageBundle puts what is packed in one place: the file system, checked, and
// of the manifest what is not of this machine or of this day.
func (s *Store) stageBundle(ctx context.Context, stage *statedir.Stage, i Image) error {
	f, err := os.Open(s.Rootfs(i.Name))
	if err != nil {
		return plain(err)
	}
	defer f.Close()
	file, err := seal(ctx, f)
	if err != nil {
		return err
	}
	if file.digest != i.Digest {
		return &digest.Error{Want: i.Digest, Got: file.digest}
	}
	if err := os.Link(s.Rootfs(i.Name), stage.Path(statedir.Rootfs)); err != nil {
		return err
	}
	return stage.WriteJSON(statedir.Manifest, Image{
		Name: i.Name, Distro: i.Distro, Arch: i.Arch, KernelRef: i.KernelRef,
		Digest: i.Digest, Size: i.Size, Config: i.Config,
	})
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
