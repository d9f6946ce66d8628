package xz

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"testing/iotest"
)

// code returns bytes that the x86 filter has much to do with: opcodes close to
// each other, and operands of all kinds.
func code(n int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	common := []byte{0xe8, 0xe9, 0x00, 0xff, 0xe8, 0x00, 0xff, 0x90}
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(random.Uint32())
		if random.IntN(4) > 0 {
			data[i] = common[random.IntN(len(common))]
		}
	}
	return data
}

// codeSize is what testdata's streams hold of code: they were made by
// xz --check=crc32 --x86 --lzma2=dict=64KiB and by xz --block-size=1500 --lzma2=dict=64KiB.
// riscv.xz holds as much of riscvCode: xz --riscv=start=65534 --lzma2=preset=0.
const codeSize = 4000

func golden(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func unpack(stream []byte) ([]byte, error) {
	r, err := NewReader(bytes.NewReader(stream))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, 1<<20))
}

func TestGolden(t *testing.T) {
	for _, name := range []string{"x86.xz", "blocks.xz"} {
		got, err := unpack(golden(t, name))
		if err != nil || !bytes.Equal(got, code(codeSize)) {
			t.Errorf("%s: wrong content, or %v", name, err)
		}
	}
}

func TestOneByteAtATime(t *testing.T) {
	r, err := NewReader(iotest.OneByteReader(bytes.NewReader(golden(t, "x86.xz"))))
	if err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(r, code(codeSize)); err != nil {
		t.Error(err)
	}
}

// The filter's window moves on in the midst of instructions.
func TestFilterIsTheSameInPieces(t *testing.T) {
	filtered := code(200_000)
	whole, err := io.ReadAll(newX86Reader(bytes.NewReader(filtered), 0))
	if err != nil {
		t.Fatal(err)
	}
	pieces, err := io.ReadAll(newX86Reader(iotest.HalfReader(iotest.DataErrReader(bytes.NewReader(filtered))), 0))
	if err != nil || !bytes.Equal(whole, pieces) {
		t.Errorf("pieces give something else than the whole, or %v", err)
	}
}

func TestAsXZ(t *testing.T) {
	if _, err := exec.LookPath("xz"); err != nil {
		t.Skip("needs xz, to compare with (apt install xz-utils)")
	}
	want := code(100_000)
	for _, args := range [][]string{
		{"--check=crc32", "--x86", "--lzma2=preset=6,dict=1MiB"},
		{"--check=crc64", "--lzma2=dict=4KiB"},
		{"--check=none", "-1"},
		{"--block-size=20KiB", "--check=crc32", "--x86", "--lzma2=dict=64KiB"},
		{"--threads=2", "--block-size=60KiB", "-0"},
	} {
		cmd := exec.Command("xz", append(args, "--stdout", "--format=xz")...)
		cmd.Stdin = bytes.NewReader(want)
		stream, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := unpack(stream); err != nil || !bytes.Equal(got, want) {
			t.Errorf("xz %q: wrong content, or %v", args, err)
		}
	}
}

func TestEmpty(t *testing.T) {
	empty := []byte(Magic + "\x00\x04\xe6\xd6\xb4\x46" + "\x00\x00\x00\x00\x1c\xdf\x44\x21" + "\x1f\xb6\xf3\x7d\x01\x00\x00\x00\x00\x04YZ")
	if got, err := unpack(empty); err != nil || len(got) > 0 {
		t.Errorf("got %q, %v", got, err)
	}
}

// Whatever is wrong or missing, it shows: up to the index, as no more is read.
func TestDamage(t *testing.T) {
	stream, want := golden(t, "x86.xz"), code(codeSize)
	const headers, index = 64, 24 // bytes at the beginning and at the end
	for i := 0; i < len(stream)-index; i++ {
		if i > headers && i < len(stream)-headers {
			i += 100
		}
		if _, err := unpack(stream[:i]); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut at %d: %v", i, err)
		}
		damaged := bytes.Clone(stream)
		damaged[i] ^= 0x10
		if got, err := unpack(damaged); err == nil && !bytes.Equal(got, want) {
			t.Fatalf("byte %d of %d is wrong, and %d wrong bytes came out", i, len(stream), len(got))
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(golden(f, "x86.xz"))
	f.Add(golden(f, "blocks.xz"))
	f.Add([]byte(Magic))
	f.Fuzz(func(_ *testing.T, stream []byte) {
		unpack(stream)
	})
}
