package rootfs

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// ErrEmpty says that a source holds no byte.
var ErrEmpty = errors.New("empty input")

// maxWindow is the largest zstd window accepted, as by the zstd program: it is
// what decompression costs in memory.
const maxWindow = 128 << 20

// magic is how a format's first bytes look; open is nil for what is no tar,
// compressed or not.
type magic struct {
	prefix []byte
	what   string
	open   func(io.Reader) (io.ReadCloser, error)
}

var magics = []magic{
	{[]byte("\x1f\x8b"), "gzip", openGzip},
	{[]byte("\x28\xb5\x2f\xfd"), "zstd", openZstd},
	{[]byte("\xfd7zXZ\x00"), "xz", openXz},
	{[]byte("BZh"), "bzip2 data: gzip, zstd and xz are understood", nil},
	{[]byte("\x04\x22\x4d\x18"), "lz4 data: gzip, zstd and xz are understood", nil},
	{[]byte("PK\x03\x04"), "a zip archive, not a tar", nil},
	{[]byte("QFI\xfb"), "a qcow2 disk image, not a tar", nil},
	{[]byte("hsqs"), "a squashfs image, not a tar", nil},
	{[]byte("!<arch>\n"), "a Debian package or an ar archive, not a tar", nil},
}

// Compression names the format, gzip, zstd or xz, of data that begins with
// head, or returns "".
func Compression(head []byte) string {
	for _, m := range magics {
		if m.open != nil && bytes.HasPrefix(head, m.prefix) {
			return m.what
		}
	}
	return ""
}

// Decompress returns what r holds, decompressed where it is gzip, zstd or xz:
// the first bytes tell. It refuses what is recognised as no tar. Closing the
// result leaves r open.
func Decompress(r io.Reader) (io.ReadCloser, error) {
	buffered := bufio.NewReaderSize(r, 1<<18)
	head, err := buffered.Peek(2048)
	if len(head) == 0 {
		if errors.Is(err, io.EOF) {
			err = ErrEmpty
		}
		return nil, err
	}
	if len(head) > 512 && bytes.Equal(head[257:262], []byte("ustar")) {
		return io.NopCloser(buffered), nil
	}
	for _, m := range magics {
		if !bytes.HasPrefix(head, m.prefix) {
			continue
		}
		if m.open == nil {
			return nil, errors.New(m.what)
		}
		opened, err := m.open(buffered)
		if err != nil {
			return nil, fmt.Errorf("decompress %s: %w", m.what, err)
		}
		return &named{opened, m.what}, nil
	}
	if err := refuse(head); err != nil {
		return nil, err
	}
	return io.NopCloser(buffered), nil
}

// refuse names what is no tar and has no magic at its very beginning.
func refuse(head []byte) error {
	text := bytes.ToLower(bytes.TrimLeft(head, "\ufeff \t\r\n"))
	if bytes.HasPrefix(text, []byte("<!doctype")) || bytes.HasPrefix(text, []byte("<html")) {
		return errors.New("an HTML page, not a tar")
	}
	const superblock, field = 1024, 56 // ext4's magic number
	if len(head) >= superblock+field+2 && head[superblock+field] == 0x53 && head[superblock+field+1] == 0xef {
		return errors.New("an ext4 file system, not a tar")
	}
	return nil
}

func openGzip(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) }

func openZstd(r io.Reader) (io.ReadCloser, error) {
	d, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}

func openXz(r io.Reader) (io.ReadCloser, error) {
	x, err := xz.NewReader(r)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(x), nil
}

// named says in its errors what was being decompressed.
type named struct {
	io.ReadCloser
	format string
}

func (n *named) Read(p []byte) (int, error) {
	k, err := n.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("decompress %s: %w", n.format, err)
	}
	return k, err
}
