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

	handedOver chan struct{} // closed before, where the starter has done all that it wanted

	warmth warmth    // of the start under way
	making sync.Once // a template

	turns sync.Mutex // one who pauses or resumes at a time

	mu    sync.Mutex
	vm    vm.VM
	asked string // what ended the VM, where somebody asked for it
	boot  *boot  // the boot under way
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
		if o.Starter.Gone() {
			close(s.handedOver)
		}
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

// wanted tells whether the starter has a use for the VM although it is down.
func (s *supervisor) wanted() bool {
	select {
	case <-s.letGo:
		return false
	default:
		return s.KeepStopped
	}
}

// once boots the guest and stays until it is down. again tells that the guest
// asked for a reboot; the error is why it never became ready.
func (s *supervisor) once(ctx context.Context, first bool) (again bool, err error) {
	s.save(func(st *vm.State) {
		*st = vm.State{Phase: vm.Starting, StartedAt: time.Now().UTC(), Ports: st.Ports, Volumes: st.Volumes, Main: st.Main, ExpiresAt: st.ExpiresAt}
		if first {
			st.Main, st.ExpiresAt = nil, expiry(s.vm.TTL)
		}
	})
	reason, err := s.bootAndWait(ctx, first)
	if err != nil {
		reason = err.Error()
	}
	s.unsetBoot()
	again = err == nil && reason == rebooted && !s.vm.Ephemeral
	s.save(func(st *vm.State) {
		st.Phase, st.VMMPID, st.StoppedAt, st.Reason = vm.Stopped, 0, time.Now().UTC(), clip(reason, maxReason)
		st.Failed = err != nil || s.asked == "" && reason != rebooted && reason != poweredOff
		if again {
			st.Phase = vm.Starting // nobody is to take this for its end
		}
	})
	return again, err
}

func (s *supervisor) bootAndWait(ctx context.Context, first bool) (reason string, err error) {
	b, guest, err := s.bootReady(ctx, first)
	if err != nil {
		return "", err
	}
	defer b.cleanup()
	s.save(func(st *vm.State) {
		if s.asked == "" {
			st.Phase = vm.Running
		}
		st.ReadyAt, st.Guest, st.Start = time.Now().UTC(), guest, s.startOf(b)
		took := b.took
		st.Took = &took
		s.vm.Copied = false
	})
	if first {
		s.Starter.Send(vm.Report{Ready: true})
	}
	releaseBoot()
	defer s.publishAll(b)()
	s.runMain(b)
	go s.makeWhenQuiet(b)
	s.awaitDown(ctx, b)
	return s.reason(b.err), nil
}

// awaitDown returns when the machine has ended, and ends it where it will not
// do so by itself.
func (s *supervisor) awaitDown(ctx context.Context, b *boot) {
	var runEnded, mainEnded <-chan struct{}
	v := s.spec()
	if (v.Ephemeral && !v.Detached) || s.Foreground {
		runEnded = s.letGo
	}
	if v.Ephemeral && v.Detached {
		mainEnded = s.main.ended
	}
	select {
	case <-b.done:
	case why := <-s.outlived(b):
		s.end(b, why)
	case <-mainEnded:
		s.main.answer()
		s.settle(b)
		s.kill("its command ended")
	case <-s.abandoned(b):
		s.kill("its start was given up")
	case <-runEnded:
		s.endRun(b)
	case <-s.console.halted: // some VMMs leave a halted guest's CPUs spinning
		b.machine.Kill()
	case <-ctx.Done():
		s.end(b, "the supervisor was asked to end")
	}
	<-b.done
}

func (s *supervisor) save(change func(*vm.State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.vm.State
	change(&s.vm.State)
	defer s.note(before)
	if err := s.spare.Use(func() error { return s.VMs.Save(s.vm) }); err != nil {
		fmt.Fprintln(s.Log, err)
	}
}

// setBoot says which boot orders go to. Where there was one already, that is the
// error.
func (s *supervisor) setBoot(b *boot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked != "" {
		return endedEarly(s.asked)
	}
	s.boot = b
	return nil
}

func (s *supervisor) unsetBoot() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.boot = nil
}

// stop asks the guest to shut down. One that cannot hear it yet has nothing to
// lose; one that is paused has to hear it first.
func (s *supervisor) stop(why string) {
	s.resume()
	if b := s.ending(why); b != nil && !b.agent.stop() {
		b.machine.Kill()
	}
}

// kill pulls the plug.
func (s *supervisor) kill(why string) {
	if b := s.ending(why); b != nil {
		b.machine.Kill()
	}
}

// ending notes why the VM ends and returns the boot to end.
func (s *supervisor) ending(why string) (b *boot) {
	s.save(func(st *vm.State) {
		if st.Phase != vm.Stopped {
			st.Phase = vm.Stopping
		}
		s.asked, b = why, s.boot
	})
	return b
}
