package imagemgr

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"banger/internal/format/ext4"
	"banger/internal/format/tarfile"
	"banger/internal/statedir"
)

// written is a rootfs.ext4 that is on disk.
type written struct {
	digest string
	size   int64
}

// writeRootfs makes a file system of a source at path, flushes it and hashes
// it.
func writeRootfs(ctx context.Context, path string, src *source, limits Limits) (written, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return written{}, plain(err)
	}
	defer f.Close()
	w, err := ext4.NewWriter(newRoomyFile(f, filepath.Dir(path)), ext4.Options{Limit: limits.Size})
	if err != nil {
		return written{}, writeError(path, err)
	}
	err = src.entries(func(hdr *tar.Header, content io.Reader) error {
		if err := w.Add(hdr, interruptible{ctx, content}); err != nil {
			return writeError(path, err)
		}
		return nil
	})
	if err != nil {
		return written{}, err
	}
	w.SetSeed([]byte(src.seed()))
	if err := w.Close(); err != nil {
		return written{}, writeError(path, err)
	}
	return seal(ctx, f)
}

// seal flushes and hashes a file, both at the same time. It leaves the flush
// behind where ctx ends.
func seal(ctx context.Context, f *os.File) (written, error) {
	flushed := make(chan error, 1)
	go func() { flushed <- f.Sync() }()
	sum := sha256.New()
	size, err := io.Copy(sum, interruptible{ctx, io.NewSectionReader(f, 0, 1<<63-1)})
	if err != nil {
		return written{}, writeError(f.Name(), err)
	}
	select {
	case err := <-flushed:
		if err != nil {
			return written{}, writeError(f.Name(), err)
		}
	case <-ctx.Done():
		return written{}, ctx.Err()
	}
	return written{digestOf(sum), size}, nil
}

// publish completes an image's manifest and gives it its name.
func (s *Store) publish(stage *statedir.Stage, replace bool, i Image) (Image, error) {
	i.Arch, i.CreatedAt, i.BangerVersion = arch(), time.Now().UTC().Truncate(time.Second), s.Version
	if err := stage.WriteJSON(statedir.Manifest, i); err != nil {
		return Image{}, err
	}
	if replace {
		return i, stage.Replace(i.Name)
	}
	return i, stage.Publish(i.Name)
}

// arch is this machine's, in the kernel's words.
func arch() string {
	if runtime.GOARCH == "amd64" {
		return "x86_64"
	}
	return runtime.GOARCH
}

// plain drops the operation and the path from an error of package os: the
// message around it has them.
func plain(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

func writeError(path string, err error) error {
	return fmt.Errorf("write %s: %w", filepath.Base(path), plain(err))
}

// interruptible is a reader that ends with its context.
type interruptible struct {
	ctx context.Context
	io.Reader
}

func (r interruptible) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// SkipHole is that of the reader.
func (r interruptible) SkipHole(block int64) int64 { return tarfile.SkipHole(r.Reader, block) }
