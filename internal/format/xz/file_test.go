package xz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"math/rand/v2"
	"os/exec"
	"slices"
	"testing"
	"testing/iotest"
)

func unpackFile(file []byte) ([]byte, error) {
	r, err := NewFileReader(iotest.HalfReader(bytes.NewReader(file)))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, 1<<20))
}

// packed is what the xz program makes of data.
func packed(t *testing.T, data []byte, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("xz"); err != nil {
		t.Skip("needs xz, to compare with (apt install xz-utils)")
	}
	cmd := exec.Command("xz", append(args, "--stdout", "--format=xz")...)
	cmd.Stdin = bytes.NewReader(data)
	stream, err := cmd.Output()
	if err != nil {
		t.Fatalf("xz %q: %v", args, err)
	}
	return stream
}

// branches returns bytes that the filters for other machines have much to do
// with.
func branches(n int) []byte {
	data := code(n)
	opcodes := []string{"\x48\x12\x34\x51", "\x11\x22\x33\xeb", "\x33\xf1\x44\xf9", "\x40\x01\x02\x03", "\x7f\xff\x02\x03", "\x01\x02\x03\x96", "\x05\x02\x00\x90", "\x05\x12\xff\xb0"}
	for i := 0; i+4 <= n; i += 8 {
		copy(data[i:], opcodes[i/8%len(opcodes)])
	}
	return data
}

// riscvCode returns bytes that the filter for RISC-V has much to do with: jumps,
// pairs that make an address, and what looks like a filtered pair.
func riscvCode(n int) []byte {
	random := rand.New(rand.NewPCG(3, 4))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	for i := 0; i+8 <= n; i += 2 * (1 + random.IntN(6)) {
		switch random.IntN(4) {
		case 0:
			data[i], data[i+1] = 0xef, data[i+1]&^0x0d
		case 1: // auipc, and an instruction for the same register
			data[i], data[i+1] = 0x17|data[i]&0x80, data[i+1]&0xf0|data[i+1]&0x07
			register := uint32(data[i]>>7) | uint32(data[i+1]&0x0f)<<1
			second := binary.LittleEndian.Uint32(data[i+4:])&^(31<<15|3) | register<<15 | 3
			binary.LittleEndian.PutUint32(data[i+4:], second)
		case 2: // auipc to x2, marked or nearly so
			data[i], data[i+1] = 0x17, 0x31^1<<random.IntN(8)&data[i+1]
		}
	}
	return data
}

func TestRISCV(t *testing.T) {
	got, err := unpackFile(golden(t, "riscv.xz"))
	if err != nil || !bytes.Equal(got, riscvCode(codeSize)) {
		t.Errorf("wrong content, or %v", err)
	}
}

func TestEveryFilterAsXZ(t *testing.T) {
	if exec.Command("xz", "--riscv", "--version").Run() == nil { // since 5.6
		want := riscvCode(100_001)
		for _, filter := range []string{"--riscv", "--riscv=start=4294967294"} {
			if got, err := unpackFile(packed(t, want, filter, "--lzma2=preset=1")); err != nil || !bytes.Equal(got, want) {
				t.Errorf("xz %s: wrong content, or %v", filter, err)
			}
		}
	}
	want := branches(100_001)
	for _, filters := range [][]string{
		{"--x86"}, {"--powerpc"}, {"--arm"}, {"--armthumb"}, {"--arm64"}, {"--sparc"},
		{"--delta=dist=1"}, {"--delta=dist=4"}, {"--delta=dist=256"},
		{"--x86=start=4097"}, {"--arm=start=4096"}, {"--powerpc=start=4294967292"},
		{"--x86", "--delta=dist=3"}, {"--delta=dist=2", "--arm64", "--arm"},
	} {
		file := packed(t, want, append(filters, "--lzma2=preset=1")...)
		if got, err := unpackFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("xz %q: wrong content, or %v", filters, err)
		}
	}
}

// Itanium's instructions lie across bytes: here are bundles with a branch in each
// slot, of each template.
func TestIA64AsXZ(t *testing.T) {
	want := code(100_001)
	for at := 0; at+16 <= len(want); at += 16 {
		bundle := new(big.Int).SetBytes(want[at : at+16])
		for bit := range 5 { // the template
			bundle.SetBit(bundle, bit, uint(at/16>>bit&1))
		}
		for slot := range 3 {
			for bit, value := range map[int]uint{37: 1, 38: 0, 39: 1, 40: 0, 9: 0, 10: 0, 11: 0} { // br.call
				bundle.SetBit(bundle, 5+41*slot+bit, value)
			}
		}
		bundle.FillBytes(want[at : at+16])
		slices.Reverse(want[at : at+16])
	}
	file := packed(t, want, "--ia64", "--lzma2=preset=1")
	if got, err := unpackFile(file); err != nil || !bytes.Equal(got, want) {
		t.Errorf("wrong content, or %v", err)
	}
}

func TestFile(t *testing.T) {
	data := code(10_000)
	one, two := packed(t, data[:6000], "--check=sha256", "--block-size=1000"), packed(t, data[6000:], "--check=crc32")
	nothing := packed(t, nil)
	zeros := make([]byte, 8)
	for _, c := range []struct {
		what  string
		parts [][]byte
		want  error
	}{
		{"streams", [][]byte{one, two}, nil},
		{"an empty stream between", [][]byte{nothing, one, nothing, two, nothing}, nil},
		{"padding", [][]byte{one, zeros, two, zeros[:4]}, nil},
		{"padding of no length that there is", [][]byte{one, two, zeros[:3]}, ErrDamaged},
		{"something behind", [][]byte{one, two, []byte("else, and more of that")}, ErrDamaged},
		{"cut in the footer", [][]byte{one, two[:len(two)-2]}, io.ErrUnexpectedEOF},
		{"cut before the index", [][]byte{one, two[:len(two)-20]}, io.ErrUnexpectedEOF},
	} {
		got, err := unpackFile(bytes.Join(c.parts, nil))
		if !errors.Is(err, c.want) || err == nil && !bytes.Equal(got, data) {
			t.Errorf("%s: %v, want %v, or wrong content", c.what, err, c.want)
		}
	}
	for i := len(one) - 60; i < len(one); i++ {
		damaged := bytes.Clone(one)
		damaged[i] ^= 0x10
		if got, err := unpackFile(damaged); err == nil && !bytes.Equal(got, data[:6000]) {
			t.Errorf("byte %d of %d is wrong, and wrong bytes came out", i, len(one))
		}
	}
}

func FuzzFileReader(f *testing.F) {
	stream := golden(f, "x86.xz")
	f.Add(bytes.Join([][]byte{stream, make([]byte, 4), stream}, nil))
	f.Add(golden(f, "blocks.xz"))
	f.Fuzz(func(_ *testing.T, file []byte) { unpackFile(file) })
}
