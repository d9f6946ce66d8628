package ext4

import (
	"encoding/binary"
	"strings"
	"testing"
)

// What debugfs says: dx_hash -h half_md4 [-s 00010203-0405-...] NAME.
func TestHash(t *testing.T) {
	md4 := hashSeed{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476} // without a seed
	var seeded hashSeed
	for i := range seeded {
		seeded[i] = binary.LittleEndian.Uint32([]byte{byte(4 * i), byte(4*i + 1), byte(4*i + 2), byte(4*i + 3)})
	}
	tests := map[string][2]nameHash{
		"a":                                 {{0xd5fa7d7a, 0xacb48187}, {0x0a2fa3a0, 0x6b8ed956}},
		"hello":                             {{0x1746da32, 0x420013b5}, {0xaf3d0524, 0x4eeb19be}},
		"file-number-1":                     {{0xa264fcf6, 0x674147e6}, {0xf8a3058e, 0xe63e016a}},
		"exactly-thirty-two-bytes-long-nm":  {{0xd1a6693e, 0x8e924819}, {0x6f1b3870, 0xb1ef01e3}},
		"a-name-of-thirty-three-bytes-long": {{0xbd4b0af6, 0x22fcd80b}, {0xcba88c1a, 0x36b05d9b}},
		strings.Repeat("n", 255):            {{0xc0f8fde8, 0xa0c44aea}, {0x9a6fd190, 0x6a1fca31}},
	}
	for name, want := range tests {
		if got := [2]nameHash{md4.hash([]byte(name)), seeded.hash([]byte(name))}; got != want {
			t.Errorf("%q: got %x, want %x", name, got, want)
		}
	}
}

func TestHashDependsOnSeed(t *testing.T) {
	w := &Writer{}
	w.SetSeed([]byte("one"))
	one := w.hashSeed().hash([]byte("name"))
	w.SetSeed([]byte("two"))
	if two := w.hashSeed().hash([]byte("name")); one == two {
		t.Errorf("two seeds give %v", one)
	}
}
