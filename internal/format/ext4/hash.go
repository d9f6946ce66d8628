package ext4

import (
	"encoding/binary"
	"math/bits"
)

// halfMD4 is the number of the hash of names that is used: three rounds of
// eight steps of MD4's, on 32 bytes of the name at a time. See "Hash Tree
// Directories" in the format's description and RFC 1320.
const halfMD4 = 1

// hashSeed is the state that hashing begins with.
type hashSeed [4]uint32

// nameHash is a name's hash. Its major part orders a directory, and is even.
type nameHash struct{ major, minor uint32 }

func (w *Writer) hashSeed() (s hashSeed) {
	for i := range s {
		s[i] = binary.LittleEndian.Uint32(w.seed[16+4*i:])
	}
	return s
}

func (s hashSeed) hash(name []byte) nameHash {
	const endOfDirectory = 0xfffffffe // means that there are no more
	for ; len(name) > 0; name = name[min(len(name), 32):] {
		s.mix(hashInput(name))
	}
	major := s[1] &^ 1
	if major == endOfDirectory {
		major -= 2
	}
	return nameHash{major, s[2]}
}

// hashInput is the name's next 32 bytes as big-endian words. A word that they
// do not fill is filled, in front, with the length of the name's rest.
func hashInput(name []byte) (in [8]uint32) {
	pad := uint32(len(name)&0xff) * 0x01010101
	name = name[:min(len(name), 32)]
	for i := range in {
		in[i] = pad
		for _, c := range name[:min(len(name), 4)] {
			in[i] = in[i]<<8 + uint32(c)
		}
		name = name[min(len(name), 4):]
	}
	return in
}

// The order in which each round takes the input's words.
var (
	round1 = [8]int{0, 1, 2, 3, 4, 5, 6, 7}
	round2 = [8]int{1, 3, 5, 7, 0, 2, 4, 6}
	round3 = [8]int{3, 7, 2, 6, 1, 5, 0, 4}
)

func (s *hashSeed) mix(in [8]uint32) {
	choose := func(x, y, z uint32) uint32 { return x&y | ^x&z }
	majority := func(x, y, z uint32) uint32 { return x&y | x&z | y&z }
	parity := func(x, y, z uint32) uint32 { return x ^ y ^ z }
	v := *s
	v.round(in, round1, choose, 0, [4]int{3, 7, 11, 19})
	v.round(in, round2, majority, 0x5a827999, [4]int{3, 5, 9, 13})
	v.round(in, round3, parity, 0x6ed9eba1, [4]int{3, 9, 11, 15})
	for i := range s {
		s[i] += v[i]
	}
}

func (s *hashSeed) round(in [8]uint32, order [8]int, f func(x, y, z uint32) uint32, k uint32, shifts [4]int) {
	a, b, c, d := s[0], s[1], s[2], s[3]
	for i, word := range order {
		a = bits.RotateLeft32(a+f(b, c, d)+in[word]+k, shifts[i%4])
		a, b, c, d = d, a, b, c
	}
	s[0], s[1], s[2], s[3] = a, b, c, d
}
