package tree

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// smallFiles makes a directory of count files.
func smallFiles(b *testing.B, count int) string {
	b.Helper()
	top := b.TempDir()
	for i := range count {
		dir := filepath.Join(top, fmt.Sprintf("d%03d", i/100))
		if i%100 == 0 {
			if err := os.Mkdir(dir, 0o755); err != nil {
				b.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%d", i)), []byte("a few words\n"), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return top
}

const manyFiles = 5000

func BenchmarkPack(b *testing.B) {
	top := smallFiles(b, manyFiles)
	for b.Loop() {
		if err := Pack(io.Discard, top, PackOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnpack(b *testing.B) {
	var packed bytes.Buffer
	if err := Pack(&packed, smallFiles(b, manyFiles), PackOptions{}); err != nil {
		b.Fatal(err)
	}
	top := b.TempDir()
	n := 0
	for b.Loop() {
		n++
		to := Target{Path: filepath.Join(top, fmt.Sprint(n))}
		if err := Unpack(bytes.NewReader(packed.Bytes()), to, UnpackOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
