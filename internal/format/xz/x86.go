package xz

import (
	"encoding/binary"
	"io"
	"math/bits"
)

// x86Reader undoes the x86 filter of xz. That one makes code compress better:
// the operands of CALL and JMP, which are relative to where the instruction
// ends, become absolute and so repeat. What passes for such an instruction
// depends on the bytes before it, and both sides have to see that alike; the
// definition is liblzma's x86.c.
type x86Reader struct {
	in       io.Reader
	err      error // of in
	buf      [1 << 16]byte
	read     int    // of buf
	done     int    // undone, of buf
	end      int    // filled, of buf
	position uint32 // of buf's first byte in all that was read
	history  byte   // bit n is set where the byte n+1 before was an opcode left alone
}

const (
	opCall     = 0xe8 // and JMP is 0xe9
	opMask     = 0xfe
	x86Operand = 4              // bytes, the last of them is 0 or 0xff for a near target
	x86Length  = 1 + x86Operand // bytes, of an instruction
	x86History = 7              // as an opcode further back has no operand here
)

func newX86Reader(r io.Reader, start uint32) io.Reader { return &x86Reader{in: r, position: start} }

func (x *x86Reader) Read(p []byte) (int, error) {
	for x.read == x.done {
		if x.err != nil {
			return 0, x.err
		}
		x.fill()
	}
	n := copy(p, x.buf[x.read:x.done])
	x.read += n
	return n, nil
}

// fill reads more, undoes what is there, and keeps back what may be part of an
// instruction of which the rest is to come.
func (x *x86Reader) fill() {
	copy(x.buf[:], x.buf[x.done:x.end])
	x.position += uint32(x.done)
	x.end -= x.done
	n, err := x.in.Read(x.buf[x.end:])
	x.end, x.err, x.read = x.end+n, err, 0
	x.done = x.undo(x.buf[:x.end])
	if err != nil {
		x.done = x.end
	}
}

// undo returns how many bytes of b are done.
func (x *x86Reader) undo(b []byte) int {
	i := 0
	for i+x86Operand < len(b) {
		switch instruction := b[i : i+x86Length]; {
		case b[i]&opMask != opCall:
			x.history = x.history << 1 & x86History
			i++
		case !x.replaced(instruction):
			x.history = (x.history<<1 | 1) & x86History
			i++
		default:
			i += x86Length
			operand := instruction[1:]
			absolute := binary.LittleEndian.Uint32(operand)
			binary.LittleEndian.PutUint32(operand, x.relative(absolute, x.position+uint32(i)))
			x.history = 0
		}
	}
	return i
}

// replaced reports whether the filter took b for an instruction and replaced its
// operand.
func (x *x86Reader) replaced(b []byte) bool {
	if !extendsSign(b[x86Operand]) {
		return false
	}
	switch bits.OnesCount8(x.history) {
	case 0:
		return true
	case 1:
		return !extendsSign(b[x86Operand-x.distance()])
	}
	return false
}

// distance is how far back the one opcode in the history is.
func (x *x86Reader) distance() int { return bits.Len8(x.history) }

func extendsSign(b byte) bool { return b == 0x00 || b == 0xff }

// relative is the operand of an instruction that ends at end. The filter has
// 25 bits of it; the rest is their sign.
func (x *x86Reader) relative(absolute, end uint32) uint32 {
	operand := absolute - end
	if x.history != 0 {
		low := 32 - 8*x.distance() // bits that the earlier opcode's operand does not reach
		if extendsSign(byte(operand >> (low - 8))) {
			operand = (operand ^ (1<<low - 1)) - end
		}
	}
	return uint32(int32(operand<<7) >> 7)
}
