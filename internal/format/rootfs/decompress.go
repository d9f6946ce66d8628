package rootfs

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz/lzma"

	"banger/internal/format/xz"
)

// ErrEmpty says that a source holds no byte.
var ErrEmpty = errors.New("empty input")

// maxWindow is the largest zstd window accepted, as by the zstd program: it is
// what decompression costs in memory.
const maxWindow = 128 << 20

// magic is how a format's first bytes look.
type magic struct {
	prefix []byte
	what   string
	open   func(*bufio.Reader) (io.ReadCloser, error)
}

var magics = []magic{
	{[]byte("\x1f\x8b"), "gzip", openGzip},
	{[]byte("\x28\xb5\x2f\xfd"), "zstd", openZstd},
	{[]byte(xz.Magic), "xz", openXz},
	{[]byte("BZh"), "bzip2", openBzip2},
	{[]byte("\x5d\x00\x00"), "lzma", openLzma},
}

// matches reports whether data that begins with head is of the format. Of zstd
// there are frames to be skipped, too, in sixteen kinds (RFC 8878, 3.1.2).
func (m magic) matches(head []byte) bool {
	switch {
	case m.what == "zstd" && len(head) >= 4 && head[0]&0xf0 == 0x50 && string(head[1:4]) == "\x2a\x4d\x18":
		return true
	case m.what == "lzma" && isLzma(head):
		return true
	}
	return bytes.HasPrefix(head, m.prefix)
}

// isLzma reports whether data begins as that of lzma does, which has no magic
// number: as xz does, it tells by sizes that nothing else begins with.
func isLzma(head []byte) bool {
	if len(head) < lzma.HeaderLen || head[0] >= 9*5*5 {
		return false
	}
	const known = 1 << 38 // bytes: the largest that xz takes for a size
	dictionary, size := binary.LittleEndian.Uint32(head[1:]), binary.LittleEndian.Uint64(head[5:])
	return dictionary >= lzma.MinDictCap && dictionary&^(3<<(bits.Len32(dictionary)-2)) == 0 &&
		(size == math.MaxUint64 || size < known)
}

// HeadSize is how many bytes of data tell how it is compressed.
const HeadSize = lzma.HeaderLen

// Compression names the format, such as gzip, of compressed data that begins
// with head, or returns "".
func Compression(head []byte) string {
	for _, m := range magics {
		if m.matches(head) {
			return m.what
		}
	}
	return ""
}

// Decompress returns what r holds, decompressed where it is gzip, zstd, xz,
// lzma or bzip2: the first bytes tell. It refuses what is recognised as no tar. Closing the
// result leaves r open.
func Decompress(r io.Reader) (io.ReadCloser, error) {
	buffered := bufio.NewReaderSize(r, 1<<18)
	head, err := buffered.Peek(blockSize)
	if len(head) == 0 {
		if errors.Is(err, io.EOF) {
			err = ErrEmpty
		}
		return nil, err
	}
	if len(head) == blockSize && bytes.Equal(head[257:262], []byte("ustar")) {
		return io.NopCloser(buffered), nil
	}
	for _, m := range magics {
		if !m.matches(head) {
			continue
		}
		opened, err := m.open(buffered)
		if err != nil {
			return nil, fmt.Errorf("decompress %s: %w", m.what, err)
		}
		return &named{opened, m.what}, nil
	}
	head, _ = buffered.Peek(KindSize)
	if kind := Kind(head); kind != "" {
		return nil, notTar(kind)
	}
	return io.NopCloser(buffered), nil
}

func openZstd(r *bufio.Reader) (io.ReadCloser, error) {
	d, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}

func openXz(r *bufio.Reader) (io.ReadCloser, error) {
	x, err := xz.NewFileReader(r)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(x), nil
}

func openLzma(r *bufio.Reader) (io.ReadCloser, error) {
	head, err := r.Peek(lzma.HeaderLen)
	if err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	if size := binary.LittleEndian.Uint32(head[1:]); size > maxWindow {
		return nil, fmt.Errorf("a dictionary of %d bytes is too large", size)
	}
	l, err := lzma.NewReader(r)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(l), nil
}

func openBzip2(r *bufio.Reader) (io.ReadCloser, error) {
	return io.NopCloser(untilGarbage{bzip2.NewReader(r)}), nil
}

// untilGarbage ends where something else than another stream follows the last,
// such as the zeros of a tape, as bzip2 does.
type untilGarbage struct{ io.Reader }

func (u untilGarbage) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	if wrong, ok := errors.AsType[bzip2.StructuralError](err); ok && wrong == "bad magic value in continuation file" {
		err = io.EOF
	}
	return n, err
}

// named says in its errors what was being decompressed.
type named struct {
	io.ReadCloser
	format string
}

func (n *named) Read(p []byte) (int, error) {
	k, err := n.ReadCloser.Read(p)
	if errors.Is(err, zstd.ErrWindowSizeExceeded) {
		err = fmt.Errorf("it takes a window of more than %d MiB: compress it with a --long of 27 or less", maxWindow>>20)
	}
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("decompress %s: %w", n.format, err)
	}
	return k, err
}
