package kernel

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
)

// The layout of a bzImage, see https://docs.kernel.org/arch/x86/boot.html.
const (
	offSetupSects    = 0x1f1
	offMagic         = 0x202
	offKernelVersion = 0x20e
	offPayloadOffset = 0x248
	offPayloadLength = 0x24c
	sectorSize       = 512
	bzImageMagic     = "HdrS"
	maxVmlinux       = 1 << 30 // bytes; a bomb stops there
)

// errNotBzImage says that bytes are no bzImage.
var errNotBzImage = errors.New("is no bzImage")

// bzImage is a compressed kernel.
type bzImage struct {
	release string // as uname -r says it
	payload []byte
}

func parseBzImage(image []byte) (bzImage, error) {
	if len(image) < offPayloadLength+4 || string(image[offMagic:offMagic+4]) != bzImageMagic {
		return bzImage{}, errNotBzImage
	}
	sectors := int64(image[offSetupSects])
	if sectors == 0 {
		sectors = 4 // as the boot protocol has it
	}
	word := func(at int) int64 { return int64(binary.LittleEndian.Uint32(image[at:])) }
	begin := (sectors+1)*sectorSize + word(offPayloadOffset)
	end := begin + word(offPayloadLength)
	if begin >= end || end > int64(len(image)) {
		return bzImage{}, errors.New("is a bzImage that is cut short or damaged")
	}
	return bzImage{release: bzRelease(image), payload: image[begin:end]}, nil
}

// bzRelease reads the version's first word, which a bzImage has in plain text.
func bzRelease(image []byte) string {
	at := int(binary.LittleEndian.Uint16(image[offKernelVersion:]))
	if at == 0 || at+sectorSize >= len(image) {
		return ""
	}
	text, _, _ := bytes.Cut(image[at+sectorSize:min(len(image), at+2*sectorSize)], []byte{0})
	release, _, _ := strings.Cut(string(text), " ")
	return release
}

// payloads are the compressions of a vmlinux and the bytes that they begin
// with; the last four bytes of a payload may be the kernel's length, which no
// decompressor sees.
var payloads = []struct {
	magic string
	open  func(io.Reader) (io.Reader, error)
}{
	{"\x1f\x8b", func(r io.Reader) (io.Reader, error) {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		z.Multistream(false)
		return z, nil
	}},
	{"\xfd7zXZ\x00", func(r io.Reader) (io.Reader, error) {
		return xz.ReaderConfig{SingleStream: true}.NewReader(r)
	}},
	{"\x28\xb5\x2f\xfd", func(r io.Reader) (io.Reader, error) {
		return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
	}},
	{"\x02\x21\x4c\x18", func(r io.Reader) (io.Reader, error) { return lz4.NewReader(r), nil }},
	{"\x7fELF", func(r io.Reader) (io.Reader, error) { return r, nil }},
}

// unpack writes the vmlinux in the payload to w.
func (b bzImage) unpack(w io.Writer) error {
	for _, p := range payloads {
		if !bytes.HasPrefix(b.payload, []byte(p.magic)) {
			continue
		}
		r, err := p.open(bytes.NewReader(b.payload))
		if err != nil {
			return fmt.Errorf("decompress the kernel: %w", err)
		}
		n, err := io.Copy(w, io.LimitReader(r, maxVmlinux+1))
		if n > maxVmlinux {
			return fmt.Errorf("decompress the kernel: it is larger than %d bytes", maxVmlinux)
		}
		if err != nil && n == 0 {
			return fmt.Errorf("decompress the kernel: %w", err)
		}
		return nil // what may follow the kernel is its length; checkVmlinux sees whether it is whole
	}
	return errors.New("is a bzImage compressed in a way that banger does not know: gzip, xz, zstd and lz4 are known")
}

var banner = regexp.MustCompile(`Linux version ([0-9][^ \x00]{2,63}) `)

// releaseOf finds the version in a vmlinux, as uname -r says it.
func releaseOf(vmlinux []byte) string {
	if found := banner.FindSubmatch(vmlinux); found != nil {
		return string(found[1])
	}
	return ""
}
