package bundle

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"
)

// Compressor makes one zstd frame, which says how much it holds, of a piece.
type Compressor func(ctx context.Context, piece []byte) ([]byte, error)

// Pack writes what o names below root as a .tar.zst stream to w: the same bytes
// for the same content and compressor, whoever owns it and whenever it was made.
// Names of o that are absent are left out. What Unpack would refuse gives an *Error.
func Pack(ctx context.Context, w io.Writer, root *os.Root, o Options, compress Compressor) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	r, archive := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		err := PackTar(ctx, archive, root, o)
		archive.CloseWithError(err)
		packed <- err
	}()
	err := compressAll(ctx, w, r, compress)
	r.CloseWithError(io.ErrClosedPipe) // should it have ended early
	if fault := <-packed; err == nil {
		err = fault
	}
	return err
}

// PackTar is Pack without the compression.
func PackTar(ctx context.Context, w io.Writer, root *os.Root, o Options) error {
	archive := tar.NewWriter(w)
	names := append(slices.Clone(o.Files), o.Dir)
	slices.Sort(names)
	for _, name := range names {
		if name == "" {
			continue
		}
		if err := packTree(ctx, archive, root, name, o); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	return nil
}

// packTree adds the file or directory top and what is below it, sorted.
func packTree(ctx context.Context, archive *tar.Writer, root *os.Root, top string, o Options) error {
	info, err := root.Lstat(top)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if isDir := top == o.Dir; info.IsDir() != isDir || !isDir && !info.Mode().IsRegular() {
		return &Error{top, "is not of the type that is expected of that name"}
	}
	return fs.WalkDir(root.FS(), top, func(name string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		return packEntry(archive, root, name, d)
	})
}

func packEntry(archive *tar.Writer, root *os.Root, name string, d fs.DirEntry) error {
	if _, err := cleanName(name); err != nil {
		return err
	}
	h := &tar.Header{Name: name, Mode: 0o644, ModTime: time.Unix(0, 0)}
	switch {
	case d.IsDir():
		h.Typeflag, h.Name, h.Mode = tar.TypeDir, name+"/", 0o755
	case d.Type() == fs.ModeSymlink:
		target, err := root.Readlink(name)
		if err != nil {
			return err
		}
		if err := checkTarget(name, target); err != nil {
			return err
		}
		h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, target, 0o777
	case d.Type().IsRegular():
		return packFile(archive, root, h)
	default:
		return &Error{name, "is neither file, directory nor link"}
	}
	return archive.WriteHeader(h)
}

func packFile(archive *tar.Writer, root *os.Root, h *tar.Header) error {
	f, err := root.Open(h.Name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h.Typeflag, h.Size = tar.TypeReg, info.Size()
	if err := archive.WriteHeader(h); err != nil {
		return err
	}
	if _, err := io.Copy(archive, f); err != nil {
		return fmt.Errorf("pack %s: %w", h.Name, err)
	}
	return nil
}
