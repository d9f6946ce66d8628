// Package supervisor runs one VM: a detached process that holds the VM's lock
// and owns its VMM, its network, its socket and its logs.
//
// It guarantees that the VMM and everything made for it are gone when it ends,
// however it ends, and that vm.json says why. It never touches another VM.
package supervisor

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"banger/internal/agentapi"
	"banger/internal/kernel"
	"banger/internal/logfile"
	"banger/internal/secret"
	"banger/internal/statedir"
	"banger/internal/usernet"
	"banger/internal/usernet/edge"
	"banger/internal/vm"
	"banger/internal/vmm"
	"banger/internal/volume"
)

// Options says what to run and with what.
type Options struct {
	Name        string
	VMs         *vm.Store
	Volumes     *volume.Store
	Rootfs      string // the image's ext4
	Kernel      kernel.Kernel
	Backend     vmm.Backend
	Share       []string // the command that serves a directory to the guest
	BootTimeout time.Duration
	Log         io.Writer
	Starter     *vm.Reporter
	Hint        func(error) string // what to do about an error, for the starter
	NoInit      bool               // the image's init does not run
	StopSignal  string             // of the image, "" for the usual
	KeepStopped bool               // an ephemeral VM is not removed where it stops before its starter lets go
	Foreground  bool               // the VM stops when its starter lets go
	Warm        Warm               // nil where VMs always boot
	Places      []usernet.Place    // in networks with other VMs
	Isolated    string             // why nothing outside is reached, "" where it is
	Main        Main               // runs the VM's own program; nil where it has none
}

// spareSpace is more than vm.json takes, and so much that the guest does not take
// it first, in bytes.
const spareSpace = 256 << 10

// supervisor is one VM at work.
type supervisor struct {
	Options
	socket  net.Listener
	console *console
	traffic *logfile.File // what the guest was denied
	main    *mainRun
	use     use
	volumes []*volume.Attachment // in the order in which the guest mounts them
	spare   *statedir.Spare      // for vm.json where the host's disk is full
	letGo   chan struct{}        // closed when the starter has let go

	edge         *edge.Edge        // nil where the guest has no secrets
	guestSecrets *agentapi.Secrets // what it hears of them
	values       secret.Values     // that it does not

	handedOver chan struct{} // closed before, or at that moment, where the starter has done all that it wanted

	warmth warmth    // of the start under way
	making sync.Once // a template

	turns turns

	mu    sync.Mutex
	vm    vm.VM
	asked string // what ended the VM, where somebody asked for it
	boot  *boot  // the boot under way

	launching context.CancelCauseFunc // ends the launch of a VMM under way
}

// Run runs a VM until its guest is down. ctx ending shuts the guest down.
// What keeps the VM from starting is told to the starter.
func Run(ctx context.Context, o Options) error {
	limitMemory()
	defer o.Starter.Close()
	lock, err := o.VMs.Lock(ctx, o.Name)
	if err == nil {
		defer lock.Release()
		err = runLocked(ctx, o)
	}
	if err != nil {
		o.Starter.Send(vm.Report{Failure: failure(err, o.Hint)})
	}
	return err
}

func runLocked(ctx context.Context, o Options) error {
	s, err := open(o)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.openEdge(); err != nil {
		return err
	}
	if err := s.attachVolumes(ctx); err != nil {
		return err
	}
	defer s.releaseVolumes()
	closePorts, err := s.openPorts()
	if err != nil {
		return err
	}
	defer closePorts()
	clock, err := openHostClock()
	if err != nil {
		return err
	}
	defer clock.Close()
	go clock.follow(s.checkTime)
	go newServer(s).serve(s.socket)
	for first := true; ; first = false {
		again, err := s.once(ctx, first)
		if err != nil || !again {
			return err
		}
	}
}

func open(o Options) (*supervisor, error) {
	v, err := o.VMs.Get(o.Name)
	if err != nil {
		return nil, err
	}
	socket, err := statedir.ListenSocket(o.VMs.Path(o.Name, statedir.Socket))
	if err != nil {
		return nil, err
	}
	traffic, err := logfile.Create(o.VMs.Path(o.Name, statedir.NetworkLog), maxTrafficLog)
	if err != nil {
		socket.Close()
		return nil, err
	}
	s := &supervisor{
		Options: o, vm: v, socket: socket, traffic: traffic, letGo: make(chan struct{}), handedOver: make(chan struct{}),
		console: newConsole(o.VMs.Path(o.Name, statedir.ConsoleLog)),
		main:    newMainRun(o.VMs.Path(o.Name, statedir.OutputLog)),
		use:     use{poked: make(chan struct{}, 1)},
	}
	s.console.oom = s.noteOOM
	s.warmth = warmthOf(o, v)
	s.spare = statedir.NewSpare(o.VMs.Path(o.Name, ""), spareSpace)
	go func() {
		if o.Starter.HandedOver() {
			close(s.handedOver)
		}
		o.Starter.Gone()
		close(s.letGo)
	}()
	return s, nil
}

func (s *supervisor) close() {
	s.main.answer()
	s.socket.Close()
	s.console.Close()
	s.traffic.Close()
	if s.edge != nil {
		s.edge.Close()
	}
	s.mu.Lock()
	s.spare.Close()
	s.mu.Unlock()
	if s.vm.Ephemeral && !s.wanted() {
		if err := s.VMs.RemoveLocked(s.Name); err != nil {
			fmt.Fprintln(s.Log, err)
		}
	}
	s.makeWarm()
}

// wanted reports whether the starter has a use for the VM although it is down.
func (s *supervisor) wanted() bool {
	select {
	case <-s.letGo:
		return false
	default:
		return s.KeepStopped
	}
}
