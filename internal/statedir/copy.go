package statedir

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// CopyFile is CopySparse for paths; dst is new, and the owner's alone.
func CopyFile(ctx context.Context, dst, src string) error {
	from, err := os.Open(src)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(dst, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(CopySparse(ctx, to, from), to.Close())
}

// ReplaceFile replaces the file at path by the one that fill writes, at once when fill
// has succeeded.
func ReplaceFile(path string, fill func(draft string) error) error {
	dir, base := filepath.Split(path)
	draft := filepath.Join(dir, newPrefix+base)
	os.Remove(draft)
	if err := fill(draft); err != nil {
		os.Remove(draft)
		return err
	}
	return os.Rename(draft, path)
}

// CopySparse makes dst a copy of src: of the same blocks where that can be
// had, else with the same holes.
func CopySparse(ctx context.Context, dst, src *os.File) error {
	if unix.IoctlFileClone(int(dst.Fd()), int(src.Fd())) == nil {
		return nil
	}
	return CopyData(ctx, dst, src)
}

// CopyData copies all but holes.
func CopyData(ctx context.Context, dst, src *os.File) error {
	size, err := src.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if err := dst.Truncate(size); err != nil {
		return err
	}
	for end := int64(0); end < size; {
		start, err := src.Seek(end, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil // a hole to the end
		}
		if err != nil {
			return err
		}
		if end, err = src.Seek(start, unix.SEEK_HOLE); err != nil {
			return err
		}
		if err := copyRange(ctx, dst, src, start, end); err != nil {
			return err
		}
	}
	return nil
}

// copyRange copies the bytes from start to end, by the kernel where it can.
func copyRange(ctx context.Context, dst, src *os.File, start, end int64) error {
	for _, f := range []*os.File{dst, src} {
		if _, err := f.Seek(start, io.SeekStart); err != nil {
			return err
		}
	}
	const step = 16 << 20
	room := &Room{Dir: filepath.Dir(dst.Name())}
	for at := start; at < end; at += step {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(step, end-at)
		if err := room.Take(n); err != nil {
			return err
		}
		if _, err := io.CopyN(dst, src, n); err != nil {
			return err
		}
	}
	return nil
}
