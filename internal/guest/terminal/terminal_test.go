package terminal

import (
	"bytes"
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func open(t *testing.T) *Terminal {
	t.Helper()
	term, err := Open(os.Getuid())
	if err != nil {
		t.Skipf("needs pseudo-terminals: %v", err)
	}
	t.Cleanup(func() {
		term.Master.Close()
		term.Slave.Close()
	})
	return term
}

func TestResize(t *testing.T) {
	term := open(t)
	if err := term.Resize(132, 43); err != nil {
		t.Fatal(err)
	}
	size, err := unix.IoctlGetWinsize(int(term.Slave.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col != 132 || size.Row != 43 {
		t.Errorf("got %+v, %v", size, err)
	}
}

// Whoever still holds the slave does not keep the output from being finished,
// and all that was printed comes through.
func TestFinish(t *testing.T) {
	term := open(t)
	text := strings.Repeat("0123456789\n", 300)
	done := make(chan error, 1)
	var out bytes.Buffer
	go func() { done <- term.CopyTo(&out) }()
	if _, err := term.Slave.WriteString(text); err != nil {
		t.Fatal(err)
	}
	term.Finish()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if want := strings.ReplaceAll(text, "\n", "\r\n"); out.String() != want {
		t.Errorf("got %d bytes, want %d", out.Len(), len(want))
	}
}

func TestCopyEndsWithTheSlave(t *testing.T) {
	term := open(t)
	if _, err := term.Slave.WriteString("last words\n"); err != nil {
		t.Fatal(err)
	}
	term.Slave.Close()
	var out bytes.Buffer
	if err := term.CopyTo(&out); err != nil || out.String() != "last words\r\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

// modes encodes pairs of opcode and argument.
func modes(pairs ...uint32) []byte {
	var encoded []byte
	for i := 0; i < len(pairs); i += 2 {
		encoded = append(encoded, byte(pairs[i]))
		encoded = binary.BigEndian.AppendUint32(encoded, pairs[i+1])
	}
	return encoded
}

func TestSetModes(t *testing.T) {
	term := open(t)
	const (
		verase, echo, iutf8, opost, speed, end = 3, 53, 42, 70, 129, 0
	)
	if err := term.SetModes(append(modes(verase, 8, echo, 0, iutf8, 1, opost, 0, 10, unused, speed, 38400), end)); err != nil {
		t.Fatal(err)
	}
	got, err := unix.IoctlGetTermios(int(term.Slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if got.Cc[unix.VERASE] != 8 || got.Lflag&unix.ECHO != 0 || got.Iflag&unix.IUTF8 == 0 || got.Oflag&unix.OPOST != 0 {
		t.Errorf("got %+v", got)
	}
	if got.Lflag&unix.ISIG == 0 || got.Cc[unix.VINTR] != 3 {
		t.Errorf("what was not named has changed: %+v", got)
	}
}

func TestApplyModes(t *testing.T) {
	for name, tt := range map[string]struct {
		encoded []byte
		want    uint32
	}{
		"nothing":             {nil, 0},
		"ended":               {append([]byte{0}, modes(53, 1)...), 0},
		"cut off":             {modes(53, 1)[:4], 0},
		"cut off in a second": {append(modes(53, 1), 51, 0, 0), unix.ECHO},
		"not of this form":    {append([]byte{160, 0, 0, 0, 1}, modes(53, 1)...), 0},
		"unknown before":      {modes(99, 7, 53, 1), unix.ECHO},
	} {
		var termios unix.Termios
		applyModes(&termios, tt.encoded)
		if termios.Lflag != tt.want {
			t.Errorf("%s: got %#x, want %#x", name, termios.Lflag, tt.want)
		}
	}
}

func TestUnusedControlCharacter(t *testing.T) {
	var termios unix.Termios
	termios.Cc[unix.VINTR] = 3
	applyModes(&termios, modes(1, unused))
	if termios.Cc[unix.VINTR] != 0 {
		t.Errorf("VINTR is %d, want 0, which switches it off", termios.Cc[unix.VINTR])
	}
}
