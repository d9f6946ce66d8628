package supervisor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func testConsole(t *testing.T) *console {
	t.Helper()
	c, err := openConsole(filepath.Join(t.TempDir(), "console.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.begin()
	return c
}

func TestConsoleTellsTheEnd(t *testing.T) {
	tests := map[string]string{
		"[ 1.0] Kernel panic - not syncing: VFS: Unable to mount root": "the guest's kernel panicked: VFS: Unable to mount root",
		"banger-agent: fatal: mount /dev/vda: no such device":          "the guest could not be set up: mount /dev/vda: no such device",
		"[ 9.1] reboot: Restarting system":                             rebooted,
		"[ 9.1] reboot: Restarting system with command 'power-off'":    poweredOff,
		"[ 9.1] reboot: Restarting system with command 'x'":            rebooted,
		"[ 9.1] reboot: Power down":                                    poweredOff,
		"[ 9.1] reboot: System halted":                                 poweredOff,
		"hello":                                                        "",
	}
	for line, want := range tests {
		c := testConsole(t)
		for i := range line { // however it is cut up
			c.Write([]byte{line[i]})
		}
		if got := c.end(); got != "" {
			t.Errorf("%q: %q before the line's end", line, got)
		}
		c.Write([]byte("\r\n"))
		if got := c.end(); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

// What went wrong is the reason, and not what was done then.
func TestConsoleTellsTheCause(t *testing.T) {
	c := testConsole(t)
	c.Write([]byte("banger-agent: fatal: no root\n[ 9.1] reboot: Restarting system\n"))
	if got, want := c.end(), "the guest could not be set up: no root"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestConsoleHalted(t *testing.T) {
	c := testConsole(t)
	c.Write([]byte("reboot: Power down\nreboot: Power down\n"))
	select {
	case <-c.halted:
	default:
		t.Error("a halted guest is not seen")
	}
	c.begin()
	select {
	case <-c.halted:
		t.Error("the next boot begins halted")
	default:
	}
	if c.end() != "" || len(c.tail()) > 0 {
		t.Error("the next boot remembers the last")
	}
}

func TestConsoleTail(t *testing.T) {
	c := testConsole(t)
	c.Write([]byte(strings.Repeat("line\n\n", 50) + "last\n"))
	tail := c.tail()
	if len(tail) != tailLines || tail[tailLines-1] != "last" {
		t.Errorf("got %q", tail)
	}
}

func TestConsoleLogIsBounded(t *testing.T) {
	c := testConsole(t)
	chunk := []byte(strings.Repeat("x", 1<<20))
	for range 12 {
		if n, err := c.Write(chunk); n != len(chunk) || err != nil {
			t.Fatal(n, err)
		}
	}
	info, err := os.Stat(c.file.Name())
	if err != nil || info.Size() > maxConsoleLog+2<<20 {
		t.Errorf("the log has %d bytes, %v", info.Size(), err)
	}
	if len(c.partial) > maxLine {
		t.Errorf("keeps %d bytes of a line without end", len(c.partial))
	}
}

func TestConsoleSurvivesAFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("needs /dev/full")
	}
	c := testConsole(t)
	c.file.Close()
	c.file = full
	if n, err := c.Write([]byte("text\n")); n != 5 || err != nil {
		t.Errorf("a full disk stalls the guest: %d, %v", n, err)
	}
}
