package supervisor

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"banger/internal/format/ext4/ext4test"
	"banger/internal/statedir"
	"banger/internal/vm"
	"banger/internal/vmm"
)

// interrupted is a VMM that takes its time: something happens while it starts.
type interrupted struct {
	meanwhile func()
	machine   fakeMachine
}

func (i *interrupted) Probe(context.Context) (vmm.Info, error) { return vmm.Info{}, nil }

func (i *interrupted) Start(context.Context, vmm.Config, vmm.Network) (vmm.Machine, error) {
	i.meanwhile()
	return i.machine, nil
}

func (i *interrupted) Restore(context.Context, vmm.Config, string, vmm.Network) (vmm.Machine, error) {
	return nil, errors.ErrUnsupported
}

type fakeMachine struct{ killed chan struct{} }

func (m fakeMachine) PID() int    { return 1 }
func (m fakeMachine) Wait() error { <-m.killed; return nil }
func (m fakeMachine) Kill()       { close(m.killed) }

func (m fakeMachine) Pause(context.Context) error  { return nil }
func (m fakeMachine) Resume(context.Context) error { return nil }

func (m fakeMachine) Resize(context.Context, int, int64) error { return nil }

func (m fakeMachine) Save(context.Context, string) (time.Time, error) {
	return time.Now(), nil
}

// An order that comes before there is a machine to order about is not lost.
func TestOrderWhileTheVMMStarts(t *testing.T) {
	for want, order := range map[string]func(*supervisor){
		"the vm was stopped while it started": func(s *supervisor) { s.stop(nil, "stopped") },
		"the vm was killed while it started":  func(s *supervisor) { s.kill("killed") },
	} {
		backend := &interrupted{machine: fakeMachine{make(chan struct{})}}
		s := testSupervisor(t, backend)
		backend.meanwhile = func() { order(s) }
		_, _, err := s.bootReady(t.Context(), true)
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		<-backend.machine.killed
	}
}

func testSupervisor(t *testing.T, backend vmm.Backend) *supervisor {
	t.Helper()
	vms := vm.NewStore(statedir.Tree{Kind: "vm", Dir: t.TempDir()})
	spec := vm.VM{Name: "box", Image: "i", Kernel: "k", CPUs: 1, MemoryMiB: 256, DiskBytes: 1 << 30}
	if _, err := vms.Create(t.Context(), spec, ext4test.Empty(t)); err != nil {
		t.Fatal(err)
	}
	s, err := open(Options{Name: "box", VMs: vms, Backend: backend, Log: io.Discard, Starter: testStarter(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// testStarter is the supervisor's end of a connection to the test.
func testStarter(t *testing.T) *vm.Reporter {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	other := os.NewFile(uintptr(fds[0]), "test")
	t.Cleanup(func() { other.Close() })
	starter, err := vm.NewReporter(os.NewFile(uintptr(fds[1]), "starter"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(starter.Close)
	return starter
}

// hanging is a VMM that never comes to an end of its start.
type hanging struct {
	interrupted
	started chan struct{}
}

func (h *hanging) Start(ctx context.Context, _ vmm.Config, _ vmm.Network) (vmm.Machine, error) {
	close(h.started)
	<-ctx.Done()
	return nil, ctx.Err()
}

// A VMM that hangs while it starts is given up, by an order, by who waits for it, and
// in time.
func TestHangingVMMIsGivenUp(t *testing.T) {
	for want, do := range map[string]func(*supervisor){
		"the vm was killed while it started":           func(s *supervisor) { s.kill("killed") },
		"the vm was stopped while it started":          func(s *supervisor) { s.stop(nil, "stopped") },
		"the start was given up":                       func(s *supervisor) { s.Starter.Close() },
		"the VMM did not start the guest within 100ms": nil,
	} {
		backend := &hanging{started: make(chan struct{})}
		s := testSupervisor(t, backend)
		if do == nil {
			s.BootTimeout = 100 * time.Millisecond
		} else {
			go func() { <-backend.started; do(s) }()
		}
		if _, _, err := s.bootReady(t.Context(), true); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// slow is a machine that holds its guest still after nobody waits for that any more.
type slow struct {
	fakeMachine
	resumed chan struct{}
}

func (slow) Pause(context.Context) error { return context.DeadlineExceeded }

func (m slow) Resume(context.Context) error {
	close(m.resumed)
	return nil
}

// A guest that is not known to be paused is not left so.
func TestPauseThatComesLate(t *testing.T) {
	machine := slow{fakeMachine{make(chan struct{})}, make(chan struct{})}
	s := testSupervisor(t, nil)
	s.boot = &boot{machine: machine, agent: newAgent(nil)}
	s.save(func(st *vm.State) { st.Phase = vm.Running })
	if err := s.pause(nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	<-machine.resumed
	if got := s.spec().State.Phase; got != vm.Running {
		t.Errorf("it is %s", got)
	}
}
