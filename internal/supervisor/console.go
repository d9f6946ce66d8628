package supervisor

import (
	"bytes"
	"strings"
	"sync"

	"banger/internal/agentapi"
)

// MaxConsoleLog is how much is kept of a guest's console, in bytes. The older half
// goes when it is full.
const MaxConsoleLog = 4 << 20

const tailLines = 12

// console writes the guest's serial console to its log and keeps the last
// lines, which tell why a guest went down.
type console struct {
	mu      sync.Mutex
	log     logFile
	partial []byte
	last    []string
	ooms    int           // of this boot
	oom     func(string)  // told of a process that the kernel killed; may be nil
	ending  string        // what the kernel or the agent said first of the guest's end
	halted  chan struct{} // closed when the guest's kernel has shut down

	isHalted bool
}

func newConsole(path string) *console {
	return &console{log: logFile{path: path, limit: MaxConsoleLog}}
}

// begin makes ready for a boot.
func (c *console) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last, c.ending, c.halted, c.isHalted, c.ooms = nil, "", make(chan struct{}), false, 0
	return c.log.begin()
}

// Write never fails: a full disk must not stall the guest.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log.Write(p)
	for part := range bytes.Lines(p) {
		c.take(part)
	}
	return len(p), nil
}

// take adds a piece of the console's text, which may end a line. Each byte is
// copied once, whatever the lines and the pieces are.
func (c *console) take(part []byte) {
	text, ended := bytes.CutSuffix(part, []byte("\n"))
	room := maxLine - len(c.partial)
	c.partial = append(c.partial, text[:min(room, len(text))]...)
	if ended {
		c.line(strings.TrimRight(string(c.partial), "\r"))
		c.partial = c.partial[:0]
	}
}

// maxLine is how much of a line is kept, in bytes.
const maxLine = 4096

// line notes one line of the console.
func (c *console) line(text string) {
	if text == "" {
		return
	}
	c.last = append(c.last, text)
	if len(c.last) > tailLines {
		c.last = c.last[1:]
	}
	if victim := oomOf(text); victim != "" && c.oom != nil && c.ooms < maxOOMs {
		c.ooms++
		c.oom(victim)
	}
	ending := endingOf(text)
	if c.ending == "" { // what comes later is how the machine got there
		c.ending = ending
	}
	if ending == poweredOff && !c.isHalted {
		c.isHalted = true
		close(c.halted)
	}
}

// What a guest's end reads like in vm.json.
const (
	rebooted   = "the guest rebooted"
	poweredOff = "the guest shut itself down"
)

// endingOf tells what a console line says of the guest's end, if anything. The
// texts are those of Linux's kernel/reboot.c and kernel/panic.c, and of
// banger's agent.
func endingOf(line string) string {
	if _, why, ok := strings.Cut(line, "Kernel panic - not syncing: "); ok {
		return "the guest's kernel panicked: " + why
	}
	if _, why, ok := strings.Cut(line, "banger-agent: fatal: "); ok {
		return "the guest could not be set up: " + why
	}
	switch {
	case strings.Contains(line, "reboot: Restarting system with command '"+agentapi.PowerOff+"'"),
		strings.Contains(line, "reboot: Power down"), strings.Contains(line, "reboot: System halted"):
		return poweredOff
	case strings.Contains(line, "reboot: Restarting system"):
		return rebooted
	}
	return ""
}

// oomOf tells which process a console line says was killed for want of memory, see
// Linux's mm/oom_kill.c.
func oomOf(line string) string {
	_, killed, ok := strings.Cut(line, "ut of memory: Killed process ")
	if !ok {
		return ""
	}
	victim, _, _ := strings.Cut(killed, ", ")
	victim, _, _ = strings.Cut(victim, " total-vm:")
	return victim
}

func (c *console) tail() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.last...)
}

func (c *console) end() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ending
}

func (c *console) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.log.Close()
}
