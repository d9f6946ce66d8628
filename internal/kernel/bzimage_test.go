package kernel

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"os/exec"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
)

// bzimage wraps a payload as the kernel's build does.
func bzimage(payload []byte) []byte {
	const setupSectors, offset = 3, 16
	image := make([]byte, (setupSectors+1)*sectorSize+offset)
	image[offSetupSects] = setupSectors
	copy(image[offMagic:], bzImageMagic)
	binary.LittleEndian.PutUint16(image[offProtocol:], 0x20f)
	binary.LittleEndian.PutUint32(image[offPayloadOffset:], offset)
	binary.LittleEndian.PutUint32(image[offPayloadLength:], uint32(len(payload)))
	return slices.Concat(image, payload, []byte("what follows"))
}

// compressions are those that a kernel's build offers. The build puts the
// kernel's length behind what it compressed, except for gzip, which has it.
func compressions(t testing.TB, content []byte) map[string][]byte {
	t.Helper()
	var gz, x, zs, lz bytes.Buffer
	write := func(w io.WriteCloser, err error) {
		if err == nil {
			_, err = w.Write(content)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write(gzip.NewWriter(&gz), nil)
	xw, err := xz.WriterConfig{CheckSum: xz.CRC32}.NewWriter(&x)
	write(xw, err)
	zw, err := zstd.NewWriter(&zs)
	write(zw, err)
	lw := lz4.NewWriter(&lz)
	write(lw, lw.Apply(lz4.LegacyOption(true)))
	length := binary.LittleEndian.AppendUint32(nil, uint32(len(content)))
	all := map[string][]byte{"gzip": gz.Bytes()}
	for name, b := range map[string]*bytes.Buffer{"xz": &x, "zstd": &zs, "lz4": &lz} {
		all[name] = append(b.Bytes(), length...)
	}
	return all
}

// The tools that the kernel's build calls, with the same arguments: see
// scripts/Makefile.lib and scripts/xz_wrap.sh there.
func TestToolsOfTheBuild(t *testing.T) {
	want := append(vmlinux(), bytes.Repeat([]byte{0xe8, 1, 2, 0, 0, 0x90}, 100_000)...)
	for _, command := range [][]string{
		{"gzip", "-n", "-f", "-9"},
		{"xz", "--check=crc32", "--x86", "--lzma2=dict=32MiB"},
		{"zstd", "-22", "--ultra"},
		{"lz4", "-l", "-9", "-", "-"},
	} {
		t.Run(command[0], func(t *testing.T) {
			if _, err := exec.LookPath(command[0]); err != nil {
				t.Skipf("needs %s, to compress with", command[0])
			}
			cmd := exec.Command(command[0], command[1:]...)
			cmd.Stdin = bytes.NewReader(want)
			payload, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			if command[0] != "gzip" {
				payload = binary.LittleEndian.AppendUint32(payload, uint32(len(want)))
			}
			image := bzimage(payload)
			var got bytes.Buffer
			if err := extract(bytes.NewReader(image), int64(len(image)), &got); err != nil || !bytes.Equal(got.Bytes(), want) {
				t.Errorf("got %d bytes, %v, want %d", got.Len(), err, len(want))
			}
		})
	}
}

func FuzzExtract(f *testing.F) {
	for _, payload := range compressions(f, vmlinux()) {
		f.Add(bzimage(payload))
	}
	f.Add(vmlinux())
	f.Add([]byte(bzImageMagic))
	f.Fuzz(func(t *testing.T, image []byte) {
		var out counter
		if err := extract(bytes.NewReader(image), int64(len(image)), &out); err == nil && out > maxVmlinux {
			t.Errorf("unpacked %d bytes", out)
		}
		if checkELF(bytes.NewReader(image), int64(len(image))) == nil && !bytes.HasPrefix(image, []byte("\x7fELF")) {
			t.Error("took something else for a kernel")
		}
	})
}
