package snapshot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// blockSize is what Digest looks at files by, in bytes.
const blockSize = 64 << 10

func describe(ctx context.Context, path string) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return File{}, err
	}
	digest, err := Digest(ctx, f)
	return File{filepath.Base(path), info.Size(), digest}, err
}

// Digest returns the SHA-256 of a file's blocks that hold anything but zeros, each
// behind its place. Holes cost nothing, and a copy may have others.
func Digest(ctx context.Context, f *os.File) (string, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return "", err
	}
	d := &digester{f: f, hash: sha256.New(), block: make([]byte, blockSize), zeros: make([]byte, blockSize)}
	for end := int64(0); end < size; {
		start, err := f.Seek(end, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break // a hole to the end
		}
		if err != nil {
			return "", err
		}
		if end, err = f.Seek(start, unix.SEEK_HOLE); err != nil {
			return "", err
		}
		// Whole blocks: what was looked at already ends where the last one did.
		if d.next = max(d.next, start/blockSize*blockSize); d.next >= end {
			continue
		}
		if err := d.addTo(ctx, end); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(d.hash.Sum(nil)), nil
}

type digester struct {
	f            *os.File
	hash         hash.Hash
	block, zeros []byte
	next         int64
}

// addTo adds the blocks from next on that begin before end.
func (d *digester) addTo(ctx context.Context, end int64) error {
	for ; d.next < end; d.next += blockSize {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := d.f.ReadAt(d.block, d.next)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if bytes.Equal(d.block[:n], d.zeros[:n]) {
			continue
		}
		d.hash.Write(binary.BigEndian.AppendUint64(nil, uint64(d.next)))
		d.hash.Write(d.block[:n])
	}
	return nil
}
