package imagemgr

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"banger/internal/format/ext4"
	"banger/internal/format/rootfs"
	"banger/internal/statedir"
)

// RegisterOptions say which file system to take and what to call it.
type RegisterOptions struct {
	Name      string
	Rootfs    string // a file with an ext4 file system
	KernelRef string // only recorded
	Copy      bool   // share no blocks with the file
	Replace   bool   // an image of that name gives way
}

// Register makes an image of an existing ext4 file system. The file is copied,
// sharing its blocks where the disk's own file system can do that, so that
// nobody changes an image by writing to the file. What is in it is not looked
// at: neither distribution nor architecture is known.
func (s *Store) Register(ctx context.Context, o RegisterOptions) (Image, error) {
	if err := s.checkFree(o.Name, o.Replace); err != nil {
		return Image{}, err
	}
	i, err := s.register(ctx, o)
	if err != nil {
		return Image{}, fmt.Errorf("register %s: %w", o.Rootfs, err)
	}
	return i, nil
}

func (s *Store) register(ctx context.Context, o RegisterOptions) (Image, error) {
	src, err := openFileSystem(o.Rootfs)
	if err != nil {
		return Image{}, err
	}
	defer src.Close()
	stage, err := s.tree.Stage()
	if err != nil {
		return Image{}, err
	}
	defer stage.Discard()
	dst, err := os.OpenFile(stage.Path(statedir.Rootfs), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return Image{}, plain(err)
	}
	defer dst.Close()
	if o.Copy {
		err = statedir.CopyData(ctx, dst, src)
	} else {
		err = statedir.CopySparse(ctx, dst, src)
	}
	if err != nil {
		return Image{}, writeError(dst.Name(), err)
	}
	file, err := seal(ctx, dst)
	if err != nil {
		return Image{}, err
	}
	source, err := filepath.Abs(o.Rootfs)
	if err != nil {
		return Image{}, err
	}
	return s.publish(stage, o.Replace, Image{
		Name: o.Name, KernelRef: o.KernelRef, Source: source, Digest: file.digest, Size: file.size,
	})
}

// openFileSystem opens a file and checks that it is a whole ext4 file system
// that needs no repair.
func openFileSystem(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, plain(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, plain(err)
	}
	if err := checkFileSystem(f, info.Size()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func checkFileSystem(f *os.File, size int64) error {
	fs, err := ext4.Check(f)
	switch {
	case errors.Is(err, ext4.ErrNotExt4):
		return fmt.Errorf("it %w%s", err, otherwise(f))
	case err != nil:
		return fmt.Errorf("it %w", plain(err))
	case fs.Size > size:
		return fmt.Errorf("it is truncated: the file system has %d bytes, the file %d", fs.Size, size)
	case fs.NeedsRecovery:
		return errors.New("it was not unmounted cleanly: run e2fsck -f on it first")
	case fs.HasErrors:
		return errors.New("its file system is damaged: run e2fsck -f on it first")
	}
	if fs.Obstacle != "" {
		return fmt.Errorf("no guest can have it as its root: it has %s", fs.Obstacle)
	}
	if _, err := ext4.NewReader(f); err != nil {
		return fmt.Errorf("its file system %w", plain(err)) // and could not be exported
	}
	return nil
}

// otherwise tells what a file is that is not what it should be, where that is known.
func otherwise(f *os.File) string {
	head := make([]byte, rootfs.KindSize)
	n, _ := f.ReadAt(head, 0)
	if kind := rootfs.Kind(head[:n]); kind != "" {
		return ", but " + kind
	}
	if packed := rootfs.Compression(head[:n]); packed != "" {
		return ", but " + packed + " data: decompress it first"
	}
	return ""
}
