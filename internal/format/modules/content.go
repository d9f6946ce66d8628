package modules

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"

	"banger/internal/format/xz"
)

// maxModule bounds a module's size in bytes, unpacked.
const maxModule = 256 << 20

// content returns what is in a module's file, decompressed where its first bytes
// say that it is compressed: so does modprobe, whatever the file is called.
func content(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	r, _, err := decompressor(f)
	if err != nil {
		return nil, err
	}
	var data bytes.Buffer
	data.Grow(int(min(info.Size(), maxModule)) + bytes.MinRead)
	if _, err := data.ReadFrom(io.LimitReader(r, maxModule+1)); err != nil {
		return nil, err
	}
	if data.Len() > maxModule {
		return nil, fmt.Errorf("is larger than %d bytes", maxModule)
	}
	return data.Bytes(), nil
}

// decompressor returns what f holds, and whether it is another reader for that.
func decompressor(f *os.File) (r io.Reader, packed bool, err error) {
	var head [len(xz.Magic)]byte
	n, _ := f.ReadAt(head[:], 0) // an error comes again
	switch magic := string(head[:n]); {
	case strings.HasPrefix(magic, "\x1f\x8b"):
		r, err = gzip.NewReader(f)
	case magic == xz.Magic:
		r, err = xz.NewReader(f)
	case strings.HasPrefix(magic, "\x28\xb5\x2f\xfd"):
		r, err = zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxModule))
	default:
		return f, false, nil
	}
	return r, true, err
}

// isPacked reports whether a module's file is compressed.
func isPacked(file string) (bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	_, packed, err := decompressor(f)
	return packed, err
}
