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

// holeSize is what a hole is a multiple of: smaller ones cost more in extents
// than they save.
const holeSize = 16 << 10

// PunchZeros makes holes of a file's zeros. What it reads stays the same.
func PunchZeros(ctx context.Context, path string) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buf, zeros := make([]byte, 1<<20), make([]byte, holeSize)
	for at := int64(0); ; at += int64(len(buf)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, readErr := io.ReadFull(f, buf)
		for i := 0; i < n; i += holeSize {
			part := buf[i:min(i+holeSize, n)]
			if !bytes.Equal(part, zeros[:len(part)]) {
				continue
			}
			err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, at+int64(i), int64(len(part)))
			if errors.Is(err, unix.EOPNOTSUPP) {
				return nil // a file system without holes
			}
			if err != nil {
				return fmt.Errorf("make holes in %s: %w", path, err)
			}
		}
		if errors.Is(readErr, io.EOF) || errors.Is(readErr, io.ErrUnexpectedEOF) {
			return nil
		}
		if readErr != nil {
			return readErr
		}
	}
}
