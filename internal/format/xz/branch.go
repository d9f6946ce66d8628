package xz

import (
	"encoding/binary"
	"io"
)

// deltaReader undoes the delta filter: each byte is the difference to the one a
// distance before.
type deltaReader struct {
	in      io.Reader
	history [256]byte
	at      byte
	back    byte // the distance, modulo 256
}

func newDeltaReader(r io.Reader, property byte) io.Reader {
	return &deltaReader{in: r, back: property + 1}
}

func (d *deltaReader) Read(p []byte) (int, error) {
	n, err := d.in.Read(p)
	for i := range p[:n] {
		p[i] += d.history[d.at-d.back]
		d.history[d.at] = p[i]
		d.at++
	}
	return n, err
}

// undoBranches makes the absolute targets of the branches in code, which begins
// at position of all that was filtered, relative again. It returns how much of
// code is done: all but what may be the beginning of an instruction.
type undoBranches func(code []byte, position uint32) int

// branchFilters are those whose instructions have a fixed place, which need no
// memory. Their definitions are liblzma's simple/*.c.
var branchFilters = map[uint64]undoBranches{
	filterPPC: func(code []byte, position uint32) int {
		return undoWords(code, position, binary.BigEndian, func(word, at uint32) uint32 {
			if word&0xfc000003 != 0x48000001 { // bl
				return word
			}
			return 0x48000001 | (word&0x03fffffc-at)&0x03fffffc
		})
	},
	filterARM: func(code []byte, position uint32) int {
		return undoWords(code, position, binary.LittleEndian, func(word, at uint32) uint32 {
			if word>>24 != 0xeb { // BL
				return word
			}
			return 0xeb000000 | (word<<2-(at+8))>>2&0x00ffffff
		})
	},
	filterThumb: undoThumb,
	filterIA64:  undoIA64,
	filterSPARC: func(code []byte, position uint32) int {
		return undoWords(code, position, binary.BigEndian, func(word, at uint32) uint32 {
			if top := word >> 22; top != 0x100 && top != 0x1ff { // call, near
				return word
			}
			to := (word<<2 - at) >> 2
			return (0-(to>>22&1))<<22&0x3fffffff | to&0x3fffff | 0x40000000
		})
	},
	filterARM64: func(code []byte, position uint32) int {
		return undoWords(code, position, binary.LittleEndian, undoARM64)
	},
	filterRISCV: undoRISCV,
}

// undoWords undoes instructions of four bytes.
func undoWords(code []byte, position uint32, order binary.ByteOrder, undo func(word, at uint32) uint32) int {
	i := 0
	for ; i+4 <= len(code); i += 4 {
		order.PutUint32(code[i:], undo(order.Uint32(code[i:]), position+uint32(i)))
	}
	return i
}

func undoARM64(word, at uint32) uint32 {
	if word>>26 == 0x25 { // BL
		return 0x94000000 | (word-at>>2)&0x03ffffff
	}
	if word&0x9f000000 != 0x90000000 { // ADRP
		return word
	}
	from := word>>29&3 | word>>3&0x001ffffc
	if (from+0x00020000)&0x001c0000 != 0 {
		return word // farther than 512 MiB
	}
	to := from - at>>12
	return word&0x9000001f | to&3<<29 | to&0x0003fffc<<3 | (0-(to&0x00020000))&0x00e00000
}

// undoThumb undoes BL, which is two instructions of two bytes.
func undoThumb(code []byte, position uint32) int {
	le := binary.LittleEndian
	i := 0
	for i+4 <= len(code) {
		high, low := uint32(le.Uint16(code[i:])), uint32(le.Uint16(code[i+2:]))
		if high&0xf800 != 0xf000 || low&0xf800 != 0xf800 {
			i += 2
			continue
		}
		to := ((high&0x7ff<<11|low&0x7ff)<<1 - (position + uint32(i) + 4)) >> 1
		le.PutUint16(code[i:], uint16(0xf000|to>>11&0x7ff))
		le.PutUint16(code[i+2:], uint16(0xf800|to&0x7ff))
		i += 4
	}
	return i
}

// undoIA64 undoes the branches in bundles of 16 bytes, which begin with a template
// of five bits, and go on with three instructions of 41.
func undoIA64(code []byte, position uint32) int {
	const top = 1 << 20 // of a target, which is kept apart from the rest
	i := 0
	for ; i+16 <= len(code); i += 16 {
		for slot := range 3 {
			if ia64Branches[code[i]&31]>>slot&1 == 0 {
				continue
			}
			from, shift := i+(5+41*slot)/8, (5+41*slot)%8
			var word [8]byte
			copy(word[:6], code[from:])
			all := binary.LittleEndian.Uint64(word[:])
			instruction := all >> shift
			if instruction>>37&15 != 5 || instruction>>9&7 != 0 { // br.call
				continue
			}
			target := uint32(instruction>>13&(top-1) | instruction>>36&1<<20)
			target = (target<<4 - (position + uint32(i))) >> 4
			instruction &^= 0x8fffff << 13
			instruction |= uint64(target&(top-1))<<13 | uint64(target&top)<<16
			binary.LittleEndian.PutUint64(word[:], all&(1<<shift-1)|instruction<<shift)
			copy(code[from:from+6], word[:])
		}
	}
	return i
}

// ia64Branches has a bit for each slot that can be a branch, by the template.
var ia64Branches = [32]byte{16: 4, 4, 6, 6, 0, 0, 7, 7, 4, 4, 0, 0, 4, 4, 0, 0}

// branchReader undoes such a filter.
type branchReader struct {
	in       io.Reader
	undo     undoBranches
	err      error // of in
	buf      [1 << 15]byte
	read     int    // of buf
	done     int    // undone, of buf
	end      int    // filled, of buf
	position uint32 // of buf's first byte
}

func newBranchReader(r io.Reader, undo undoBranches, start uint32) io.Reader {
	return &branchReader{in: r, undo: undo, position: start}
}

func (b *branchReader) Read(p []byte) (int, error) {
	for b.read == b.done {
		if b.err != nil {
			return 0, b.err
		}
		copy(b.buf[:], b.buf[b.done:b.end])
		b.position += uint32(b.done)
		b.end -= b.done
		n, err := b.in.Read(b.buf[b.end:])
		b.end, b.err, b.read = b.end+n, err, 0
		if b.done = b.undo(b.buf[:b.end], b.position); err != nil {
			b.done = b.end
		}
	}
	n := copy(p, b.buf[b.read:b.done])
	b.read += n
	return n, nil
}
