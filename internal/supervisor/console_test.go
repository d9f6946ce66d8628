package supervisor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func testConsole(t testing.TB) *console {
	t.Helper()
	c := newConsole(filepath.Join(t.TempDir(), "console.log"))
	t.Cleanup(func() { c.Close() })
	if err := c.begin(); err != nil {
		t.Fatal(err)
	}
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

// The log's own tests hold it to its size.
func TestConsoleKeepsNoLineWithoutEnd(t *testing.T) {
	c := testConsole(t)
	chunk := []byte(strings.Repeat("x", 1<<20))
	for range 12 {
		if n, err := c.Write(chunk); n != len(chunk) || err != nil {
			t.Fatal(n, err)
		}
	}
	if len(c.partial) > maxLine {
		t.Errorf("keeps %d bytes", len(c.partial))
	}
}

// Each byte of the console is looked at once: a guest's newlines cost no more
// than its other bytes. What copies the rest at every line allocates for each.
func TestConsoleOfNewlinesIsLinear(t *testing.T) {
	c := testConsole(t)
	newlines := []byte(strings.Repeat("\n", 32<<10))
	got := testing.AllocsPerRun(10, func() { c.Write(newlines) })
	if got > 1 {
		t.Errorf("%d newlines take %v allocations", len(newlines), got)
	}
}

func TestConsoleKeepsTheStartOfALongLine(t *testing.T) {
	c := testConsole(t)
	c.Write([]byte("Kernel panic - not syncing: " + strings.Repeat("x", 2*maxLine)))
	c.Write([]byte("tail\nnext\n"))
	tail := c.tail()
	if len(tail) != 2 || len(tail[0]) != maxLine || tail[1] != "next" {
		t.Errorf("got %d lines, %q", len(tail), tail[len(tail)-1])
	}
	if !strings.HasPrefix(c.end(), "the guest's kernel panicked: x") {
		t.Errorf("a panic on a long line is not seen: %.40q", c.end())
	}
}

func FuzzConsole(f *testing.F) {
	f.Add([]byte("reboot: Power down\r\n"), 3)
	f.Add([]byte("\n\n\xff\x00Kernel panic - not syncing: x\n"), 1)
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		whole, pieces := testConsole(t), testConsole(t)
		whole.Write(text)
		for piece := range slices.Chunk(text, 1+int(uint(size)%64)) {
			pieces.Write(piece)
		}
		if whole.end() != pieces.end() || !slices.Equal(whole.tail(), pieces.tail()) {
			t.Errorf("whole: %q %q, in pieces: %q %q", whole.end(), whole.tail(), pieces.end(), pieces.tail())
		}
		for _, line := range whole.tail() {
			if len(line) > maxLine {
				t.Errorf("keeps a line of %d bytes", len(line))
			}
		}
	})
}

// The log has what the guest wrote, once.
func TestConsoleLog(t *testing.T) {
	c := testConsole(t)
	c.Write([]byte("one\n"))
	c.Write([]byte("two\n"))
	got, err := os.ReadFile(c.log.path)
	if err != nil || string(got) != "one\ntwo\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestConsoleOOM(t *testing.T) {
	c := testConsole(t)
	var victims []string
	c.oom = func(victim string) { victims = append(victims, victim) }
	c.Write([]byte("[ 3.1] Out of memory: Killed process 12 (a b) total-vm:3kB, anon-rss:1kB\n" +
		"[ 3.2] Memory cgroup out of memory: Killed process 13 (c), UID 0, total-vm:1kB\nmemory: Killed\n"))
	if want := []string{"12 (a b)", "13 (c)"}; !slices.Equal(victims, want) {
		t.Errorf("got %q, want %q", victims, want)
	}
	for range 2 * maxOOMs {
		c.Write([]byte("Out of memory: Killed process 1 (x)\n"))
	}
	if len(victims) != maxOOMs {
		t.Errorf("a guest had %d recorded", len(victims))
	}
}
