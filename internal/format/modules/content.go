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

// content returns what is in a module's file, decompressed where the file's
// name says that it is compressed.
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
	r, err := decompressor(file, f)
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

func isCompressed(file string) bool { return !strings.HasSuffix(file, ".ko") }

func decompressor(file string, r io.Reader) (io.Reader, error) {
	switch {
	case strings.HasSuffix(file, ".gz"):
		return gzip.NewReader(r)
	case strings.HasSuffix(file, ".xz"):
		return xz.NewReader(r)
	case strings.HasSuffix(file, ".zst"):
		return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxModule))
	}
	return r, nil
}
