package rootfs

import (
	"bytes"
	"io"
	"testing"
)

// Whatever looks compressed is decompressed or refused, and ends.
func FuzzDecompress(f *testing.F) {
	for _, format := range []string{"gzip", "zstd", "xz"} {
		data := compressed(f, []byte("text"), format)
		f.Add(data)
		f.Add(append(bytes.Clone(data), data...))
	}
	f.Add([]byte("BZh91AY&SY"))
	f.Add([]byte("\x5d\x00\x00\x80\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		r, err := Decompress(bytes.NewReader(data))
		if err != nil {
			return
		}
		defer r.Close()
		io.CopyN(io.Discard, r, 4<<20)
	})
}
