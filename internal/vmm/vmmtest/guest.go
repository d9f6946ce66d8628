package vmmtest

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"banger/internal/vmm"
)

var guestMAC = net.HardwareAddr{0x02, 0xba, 0x5e, 0x12, 0x34, 0x56}

const mib = 1 << 20

// guest is one that a test has started.
type guest struct {
	*cable
	vmm.Machine
	t       *testing.T
	console *console
	waited  chan struct{} // closed when Wait has returned
	err     error         // what it returned
}

// config describes a VM with three disks of different sizes, of which only
// the second may be written.
func (s *suite) config(t *testing.T) vmm.Config {
	t.Helper()
	dir := t.TempDir()
	cfg := vmm.Config{
		Name:      "vmmtest",
		Kernel:    s.env.Kernel,
		Initrd:    s.initrd,
		Cmdline:   []string{"panic=-1", "net.ifnames=0", "vmmtest=1"},
		CPUs:      2,
		MemoryMiB: 256,
		MAC:       guestMAC,
		Log:       logTo{t},
		Dir:       dir,
	}
	for i, readOnly := range []bool{true, false, true} {
		path := filepath.Join(dir, string(rune('a'+i))+".img")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, int64(i+1)*mib); err != nil {
			t.Fatal(err)
		}
		cfg.Disks = append(cfg.Disks, vmm.Disk{Path: path, ReadOnly: readOnly})
	}
	return cfg
}

// start starts a guest, which ends with the test.
func (s *suite) start(ctx context.Context, t *testing.T, cfg vmm.Config) *guest {
	t.Helper()
	return s.launch(t, cfg, func(cfg vmm.Config, network vmm.Network) (vmm.Machine, error) {
		return s.backend.Start(ctx, cfg, network)
	})
}

// launch starts a guest by do; the guest ends with the test.
func (s *suite) launch(t *testing.T, cfg vmm.Config, do func(vmm.Config, vmm.Network) (vmm.Machine, error)) *guest {
	t.Helper()
	g := &guest{t: t, cable: newCable(), console: newConsole(t), waited: make(chan struct{})}
	cfg.Console = g.console
	machine, err := do(cfg, g.cable)
	if err != nil {
		t.Fatal(err)
	}
	g.Machine = machine
	go func() {
		g.err = machine.Wait()
		close(g.waited)
	}()
	t.Cleanup(func() {
		machine.Kill()
		<-g.waited
	})
	return g
}

// boot is start, and returns when the guest has said hello.
func (s *suite) boot(t *testing.T, cfg vmm.Config) *guest {
	t.Helper()
	g := s.start(t.Context(), t, cfg)
	if hello := g.hear(); hello.text != "hello" || hello.from.String() != cfg.MAC.String() {
		t.Fatalf("the guest's first frame is %q from %s", hello.text, hello.from)
	}
	return g
}

// hear returns the guest's next message.
func (g *guest) hear() message {
	g.t.Helper()
	select {
	case m := <-g.messages:
		return m
	case <-g.waited:
		g.t.Fatalf("the machine ended: %v", g.err)
		return message{}
	}
}

// tell gives the guest an order.
func (g *guest) tell(order string) {
	g.t.Helper()
	if err := g.order(order); err != nil {
		g.t.Fatal(err)
	}
}

// end returns what Wait returned.
func (g *guest) end() error {
	<-g.waited
	return g.err
}

// console collects the guest's console and shows it where the test fails.
type console struct {
	mu   sync.Mutex
	text strings.Builder
}

func newConsole(t *testing.T) *console {
	c := new(console)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the guest's console:\n%s", c)
		}
	})
	return c
}

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// has reports whether the guest program said a line.
func (c *console) has(line string) bool {
	for text := range strings.Lines(c.String()) {
		if strings.HasSuffix(strings.TrimSpace(text), "guest: "+line) {
			return true
		}
	}
	return false
}

type logTo struct{ t *testing.T }

func (l logTo) Write(p []byte) (int, error) {
	l.t.Logf("vmm: %s", p)
	return len(p), nil
}
