package kernel

import (
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"banger/internal/format/xz"
)

// The layout of a bzImage, see https://docs.kernel.org/arch/x86/boot.html.
const (
	offSetupSects    = 0x1f1
	offMagic         = 0x202
	offProtocol      = 0x206
	offPayloadOffset = 0x248
	offPayloadLength = 0x24c
	sizeBzHeader     = 0x250
	sectorSize       = 512
	bzImageMagic     = "HdrS"
	protocolPayload  = 0x208 // the first boot protocol that says where the payload is

	sizeLength = 4 // bytes of the vmlinux's length, a payload's last
)

// maxVmlinux bounds a kernel's size in bytes; a bomb is not even unpacked.
const maxVmlinux = 1 << 30

// errCut says that a bzImage is not all there.
var errCut = errors.New("this is a bzImage that is cut short or damaged")

// bzImage is a compressed kernel.
type bzImage struct {
	payload *io.SectionReader
	length  int64 // of the vmlinux in the payload, in bytes
}

// isBzImage reports whether a file that begins with head is a bzImage.
func isBzImage(head []byte) bool {
	return len(head) >= sizeBzHeader && string(head[offMagic:offMagic+len(bzImageMagic)]) == bzImageMagic
}

// openBzImage finds the vmlinux in a bzImage of size bytes.
func openBzImage(file io.ReaderAt, size int64) (bzImage, error) {
	var head [sizeBzHeader]byte
	if _, err := file.ReadAt(head[:], 0); err != nil {
		return bzImage{}, errCut
	}
	if binary.LittleEndian.Uint16(head[offProtocol:]) < protocolPayload {
		return bzImage{}, errors.New("this is a bzImage from before Linux 2.6.26, which is too old")
	}
	sectors := int64(head[offSetupSects])
	if sectors == 0 {
		sectors = 4 // as the boot protocol has it
	}
	begin := (sectors+1)*sectorSize + int64(binary.LittleEndian.Uint32(head[offPayloadOffset:]))
	packed := int64(binary.LittleEndian.Uint32(head[offPayloadLength:]))
	if packed <= sizeLength || begin+packed > size {
		return bzImage{}, errCut
	}
	var length [sizeLength]byte
	if _, err := file.ReadAt(length[:], begin+packed-sizeLength); err != nil {
		return bzImage{}, errCut
	}
	b := bzImage{io.NewSectionReader(file, begin, packed), int64(binary.LittleEndian.Uint32(length[:]))}
	if b.length > maxVmlinux {
		return bzImage{}, fmt.Errorf("this is a bzImage of a kernel of %d bytes, more than the %d that are sensible", b.length, maxVmlinux)
	}
	return b, nil
}

// payloads are the compressions of a vmlinux and the bytes that they begin
// with.
var payloads = []struct {
	magic string
	open  func(*io.SectionReader) (io.Reader, error)
}{
	{"\x1f\x8b", openGzip},
	{xz.Magic, func(r *io.SectionReader) (io.Reader, error) { return xz.NewReader(beforeLength(r)) }},
	{"\x28\xb5\x2f\xfd", func(r *io.SectionReader) (io.Reader, error) {
		return zstd.NewReader(beforeLength(r), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	}},
	{"\x02\x21\x4c\x18", func(r *io.SectionReader) (io.Reader, error) { return lz4.NewReader(beforeLength(r)), nil }},
}

// maxWindow bounds what a decompressor keeps in memory, in bytes; the kernel's
// build uses as much at its highest levels.
const maxWindow = 128 << 20

// openGzip leaves the length where it is: it is gzip's own.
func openGzip(r *io.SectionReader) (io.Reader, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return z, nil
}

// beforeLength is a payload without the length that the kernel's build put
// behind it.
func beforeLength(r *io.SectionReader) io.Reader {
	return io.NewSectionReader(r, 0, r.Size()-sizeLength)
}

// unpack writes the vmlinux to w.
func (b bzImage) unpack(w io.Writer) error {
	r, err := b.open()
	if err != nil {
		return err
	}
	n, err := io.Copy(w, io.LimitReader(r, b.length+1))
	switch {
	case err != nil:
		return fmt.Errorf("unpack the bzImage: %w", err)
	case n != b.length:
		return errCut
	}
	return nil
}

func (b bzImage) open() (io.Reader, error) {
	var magic [6]byte
	if _, err := b.payload.ReadAt(magic[:], 0); err != nil {
		return nil, errCut
	}
	for _, p := range payloads {
		if string(magic[:len(p.magic)]) != p.magic {
			continue
		}
		r, err := p.open(b.payload)
		if err != nil {
			return nil, fmt.Errorf("unpack the bzImage: %w", err)
		}
		return r, nil
	}
	return nil, errors.New("this is a bzImage compressed in a way that banger does not know: gzip, xz, zstd and lz4 are known")
}
