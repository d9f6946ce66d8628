package xz

import "encoding/binary"

// Instructions of RISC-V as the filter sees them.
const (
	riscvPair   = 8    // bytes, of an AUIPC and the instruction that adds the lower half
	riscvOpcode = 0x7f // bits of a word that tell which instruction it is
	riscvAUIPC  = 0x17
	riscvJAL    = 0xef // with the lowest bit of the register that it keeps the way back in
	riscvStack  = 2    // the register that no address is made in; it marks what was filtered
	riscvUpper  = 0xfffff000
	riscvMarked = riscvAUIPC | riscvStack<<7 | 3<<12 // 3 are the lowest bits of the other instruction
)

// undoRISCV is the filter for RISC-V: a jump, or a pair of instructions that
// make an address.
func undoRISCV(code []byte, position uint32) int {
	i := 0
	for i+riscvPair <= len(code) {
		at := position + uint32(i)
		switch {
		case code[i] == riscvJAL && code[i+1]&0x0d == 0: // to x1 or x5
			undoJAL(code[i:], at)
			i += 4
		case code[i]&riscvOpcode == riscvAUIPC:
			i += undoAUIPC(code[i:], at)
		default:
			i += 2
		}
	}
	return i
}

// undoJAL makes the target, which was written in the order of its bits, that of
// a jump, whose bits are in an order of their own.
func undoJAL(code []byte, at uint32) {
	to := uint32(code[1]&0xf0)<<13 | uint32(code[2])<<9 | uint32(code[3])<<1
	to -= at
	code[1] = code[1]&0x0f | byte(to>>8&0xf0)
	code[2] = byte(to>>16&0x0f | to>>7&0x10 | to<<4&0xe0)
	code[3] = byte(to>>4&0x7f | to>>13&0x80)
}

// undoAUIPC puts right what begins with an AUIPC and returns how much it was. A
// marked one stands for a pair whose address is behind it, as a whole; a pair as
// it is stands for what had looked like a marked one.
func undoAUIPC(code []byte, at uint32) int {
	le := binary.LittleEndian
	first, second := le.Uint32(code), le.Uint32(code[4:])
	if into := first >> 7 & 31; into != 0 && into != riscvStack {
		if (first<<8^(second-3))&0xf8003 != 0 { // the second is for another register
			return 6
		}
		first, second = riscvAUIPC|riscvStack<<7|second<<12, first&riscvUpper+second>>20
	} else {
		register := first >> 27
		if (first-riscvMarked)<<18 >= register&0x1d { // not marked, or for no register that is filtered
			return 4
		}
		address := binary.BigEndian.Uint32(code[4:]) - at
		second = first>>12 | address<<20
		first = riscvAUIPC | register<<7 | (address+0x800)&riscvUpper
	}
	le.PutUint32(code, first)
	le.PutUint32(code[4:], second)
	return riscvPair
}
