package vmm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// holeSize is what a hole is a multiple of: a page of a guest's memory.
const holeSize = 4 << 10

// PunchZeros makes holes of a file's zeros. What it reads stays the same.
func PunchZeros(ctx context.Context, path string) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	for end := int64(0); end < info.Size(); {
		start, err := unix.Seek(int(f.Fd()), end, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil // a hole to the end
		}
		if err != nil {
			return err
		}
		if end, err = unix.Seek(int(f.Fd()), start, unix.SEEK_HOLE); err != nil {
			return err
		}
		err = punchZeros(ctx, f, start/holeSize*holeSize, end)
		if errors.Is(err, unix.EOPNOTSUPP) {
			return nil // a file system without holes
		}
		if err != nil {
			return fmt.Errorf("make holes in %s: %w", path, err)
		}
	}
	return nil
}

// punchZeros is PunchZeros for the bytes from start to end.
func punchZeros(ctx context.Context, f *os.File, start, end int64) error {
	buf, zeros := make([]byte, 1<<20), make([]byte, holeSize)
	for at := start; at < end; at += int64(len(buf)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := f.ReadAt(buf[:min(int64(len(buf)), end-at)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		for from := 0; from < n; {
			to := from // where the zeros end
			for to < n && bytes.Equal(buf[to:min(to+holeSize, n)], zeros[:min(holeSize, n-to)]) {
				to = min(to+holeSize, n)
			}
			if to == from {
				from += holeSize
				continue
			}
			err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, at+int64(from), int64(to-from))
			if err != nil {
				return err
			}
			from = to
		}
	}
	return nil
}
