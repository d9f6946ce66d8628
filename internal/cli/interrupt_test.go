package cli

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// What a first ^C does not end, a second one does.
func TestSecondInterruptEnds(t *testing.T) {
	for _, tt := range []struct {
		second syscall.Signal
		ends   bool
	}{{syscall.SIGINT, true}, {syscall.SIGTERM, true}, {syscall.SIGHUP, false}} {
		cancelled, forced := 0, make(chan struct{})
		i := &interrupts{cancel: func() { cancelled++ }, force: func() { close(forced) }}
		i.hear(syscall.SIGINT)
		i.hear(tt.second)
		if cancelled != 2 {
			t.Errorf("%v: cancelled %d times", tt.second, cancelled)
		}
		if !tt.ends {
			i.hear(syscall.SIGINT) // nothing was under way before
		}
		<-forced
	}
	patient := &interrupts{cancel: func() {}, force: func() { t.Error("forced") }}
	patient.wait()
	patient.hear(syscall.SIGINT)
	patient.hear(syscall.SIGINT)
}

// A guest's console is shown on a terminal as vm logs shows it, which stays as it is:
// in a raw one ^C would be nobody's.
func TestForegroundOnTerminal(t *testing.T) {
	screen, keyboard, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	defer keyboard.Close()
	a := &app{raw: Streams{In: keyboard, Out: keyboard}, Streams: Streams{In: keyboard, Out: newFilter(keyboard)}}
	before, err := unix.IoctlGetTermios(int(keyboard.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	to, err := a.attachOutput()
	if err != nil {
		t.Fatal(err)
	}
	after, err := unix.IoctlGetTermios(int(keyboard.Fd()), unix.TCGETS)
	if err != nil || *after != *before {
		t.Errorf("the terminal was %+v, and is %+v, %v", before, after, err)
	}
	fmt.Fprint(to.Stdout, "boot \x1b]52;c;aGk=\x07\n")
	buf := make([]byte, 100)
	n, err := screen.Read(buf)
	if err != nil || strings.ContainsRune(string(buf[:n]), 0x1b) {
		t.Errorf("the terminal got %q, %v", buf[:n], err)
	}
}
