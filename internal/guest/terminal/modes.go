package terminal

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// The opcodes are RFC 4254's, section 8.

var controlChars = map[byte]int{
	1: unix.VINTR, 2: unix.VQUIT, 3: unix.VERASE, 4: unix.VKILL, 5: unix.VEOF, 6: unix.VEOL, 7: unix.VEOL2,
	8: unix.VSTART, 9: unix.VSTOP, 10: unix.VSUSP, 12: unix.VREPRINT, 13: unix.VWERASE, 14: unix.VLNEXT,
	18: unix.VDISCARD,
}

var inputFlags = map[byte]uint32{
	30: unix.IGNPAR, 31: unix.PARMRK, 32: unix.INPCK, 33: unix.ISTRIP, 34: unix.INLCR, 35: unix.IGNCR,
	36: unix.ICRNL, 37: unix.IUCLC, 38: unix.IXON, 39: unix.IXANY, 40: unix.IXOFF, 41: unix.IMAXBEL, 42: unix.IUTF8,
}

var localFlags = map[byte]uint32{
	50: unix.ISIG, 51: unix.ICANON, 52: unix.XCASE, 53: unix.ECHO, 54: unix.ECHOE, 55: unix.ECHOK, 56: unix.ECHONL,
	57: unix.NOFLSH, 58: unix.TOSTOP, 59: unix.IEXTEN, 60: unix.ECHOCTL, 61: unix.ECHOKE, 62: unix.PENDIN,
}

var outputFlags = map[byte]uint32{
	70: unix.OPOST, 71: unix.OLCUC, 72: unix.ONLCR, 73: unix.OCRNL, 74: unix.ONOCR, 75: unix.ONLRET,
}

// unused is how a client says that a control character is switched off.
const unused = 255

// SetModes applies a client's encoded terminal modes. What it does not know,
// such as line speeds, has no meaning here.
func (t *Terminal) SetModes(encoded []byte) error {
	return t.control(func(fd int) error {
		termios, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			return err
		}
		applyModes(termios, encoded)
		return unix.IoctlSetTermios(fd, unix.TCSETS, termios)
	})
}

// applyModes reads pairs of an opcode and a 32-bit argument, up to one that
// ends them or has no such argument.
func applyModes(termios *unix.Termios, encoded []byte) {
	for len(encoded) >= 5 && encoded[0] > 0 && encoded[0] < 160 {
		op, arg := encoded[0], binary.BigEndian.Uint32(encoded[1:])
		encoded = encoded[5:]
		if i, ok := controlChars[op]; ok {
			termios.Cc[i] = byte(arg)
			if arg == unused {
				termios.Cc[i] = 0
			}
		}
		setFlag(&termios.Iflag, inputFlags[op], arg)
		setFlag(&termios.Lflag, localFlags[op], arg)
		setFlag(&termios.Oflag, outputFlags[op], arg)
	}
}

func setFlag(flags *uint32, flag, on uint32) {
	if on != 0 {
		*flags |= flag
	} else {
		*flags &^= flag
	}
}
