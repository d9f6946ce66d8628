package supervisor

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"banger/internal/agent/link"
	"banger/internal/agentapi"
	"banger/internal/initramfs"
	"banger/internal/statedir"
	"banger/internal/usernet"
	"banger/internal/vm"
	"banger/internal/vmm"
)

// seedSize is the size of a guest's random seed in bytes: a crypto pool's.
const seedSize = 64

// boot is one run of the VMM.
type boot struct {
	network *usernet.Network
	agent   *agent
	shares  *shares // nil where the guest has no directory of the host's
	machine vmm.Machine
	saved   *saved // the guest that goes on, nil where one boots
	took    vm.Took
	laps    time.Time     // when the part of it that is under way began
	done    chan struct{} // closed when machine has ended
	err     error         // how, once done is closed
}

// lap returns the milliseconds since the last one.
func (b *boot) lap() int64 {
	now := time.Now()
	took := now.Sub(b.laps).Milliseconds()
	b.laps = now
	return took
}

// bootSpace is what has to be free on the host's disk for a boot, in bytes: for the
// initramfs, the logs, and what a guest writes at once.
const bootSpace = 48 << 20

// bootAttempts is how often a guest boots that gives up and may be luckier.
const bootAttempts = 3

// bootReady boots the guest and returns when it can serve. first tells that
// somebody waits for that.
func (s *supervisor) bootReady(ctx context.Context, first bool) (*boot, *vm.Guest, error) {
	for attempt := 1; ; attempt++ {
		if err := s.console.begin(); err != nil {
			return nil, nil, err
		}
		b, guest, err := s.tryBoot(ctx, first, attempt)
		if err == nil {
			return b, guest, nil
		}
		if !s.givenUp(ctx, first) && s.fallBack(err) {
			attempt-- // it was none
			continue
		}
		var failed *guestError
		if !errors.As(err, &failed) || !failed.again || attempt == bootAttempts {
			return nil, nil, err
		}
		fmt.Fprintln(s.Log, err)
		if first {
			s.Starter.Send(vm.Report{Stage: "booting " + s.Name + " again: " + agentapi.NoTimer})
		}
	}
}

// tryBoot is one attempt of bootReady's.
func (s *supervisor) tryBoot(ctx context.Context, first bool, attempt int) (*boot, *vm.Guest, error) {
	b, err := s.start(first && attempt == 1)
	if err != nil {
		return nil, nil, err
	}
	guest, err := s.awaitGuest(ctx, b, first)
	if err != nil {
		b.cleanup()
		return nil, nil, err
	}
	return b, guest, nil
}

// awaitGuest returns when the guest can serve, see awaitReady. A restored one has
// to become this VM's first.
func (s *supervisor) awaitGuest(ctx context.Context, b *boot, first bool) (*vm.Guest, error) {
	if s.startOf(b) == vm.Warm {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, warmTimeout, errSlow)
		defer stop()
	}
	if b.saved != nil {
		err := s.makeOwn(ctx, b)
		b.took.Identity = b.lap()
		select {
		case <-b.done: // which says more
		default:
			if err != nil {
				return nil, err
			}
		}
	}
	return s.awaitReady(ctx, b, first)
}

// start starts the VMM; nothing is left where that fails, or where the VM's end
// was asked for meanwhile.
func (s *supervisor) start(first bool) (*boot, error) {
	b := &boot{done: make(chan struct{}), laps: time.Now()}
	err := s.startIn(b, first)
	if err == nil {
		err = s.setBoot(b)
	}
	if err != nil {
		b.cleanup()
		return nil, err
	}
	return b, nil
}

func (s *supervisor) startIn(b *boot, first bool) (err error) {
	info, err := s.Backend.Probe(context.Background())
	if err != nil {
		return err
	}
	keys, err := s.VMs.Keys(s.Name)
	if err != nil {
		return err
	}
	if err := statedir.CheckSpace(s.VMs.Path(s.Name, ""), bootSpace); err != nil {
		return fmt.Errorf("boot vm %q: %w", s.Name, err)
	}
	mounts := s.spec().Mounts // which may be set anew meanwhile
	if err := s.writeInitramfs(keys, mounts); err != nil {
		return err
	}
	rules, err := s.policy()
	if err != nil {
		return err
	}
	if b.saved, err = s.takeSaved(); err != nil {
		return err
	}
	if b.saved == nil {
		b.saved = s.takeWarm(info)
	}
	mac, _ := net.ParseMAC(s.spec().MAC)
	b.network, err = usernet.New(usernet.Options{
		HostLoopback: s.spec().HostLoopback, Policy: rules, Conns: s.spec().MaxConnections, Traffic: s.traffic, Log: s.Log, Held: b.saved != nil,
		Networks: s.Places, Isolated: s.Isolated, Name: s.Name, MAC: mac,
		Edge: s.edge,
	})
	if err != nil {
		return err
	}
	b.agent, err = listenAgent(b.network, link.Secret(keys.HostPEM))
	if err != nil {
		return err
	}
	if b.shares, err = s.openShares(mounts, b.network, link.Secret(keys.HostPEM)); err != nil {
		return err
	}
	if first {
		s.Starter.Send(vm.Report{Stage: s.doing(b) + " " + s.Name + " (" + describe(info) + ")"})
	}
	b.took.Prepare = b.lap()
	b.machine, err = s.launch(b)
	if err != nil {
		return err
	}
	b.took.Load = b.lap()
	go func() {
		b.err = b.machine.Wait()
		close(b.done)
	}()
	s.save(func(st *vm.State) { st.VMM, st.VMMPID = &info, b.machine.PID() })
	return nil
}

// doing says what is done with the guest of a boot.
func (s *supervisor) doing(b *boot) string {
	switch s.startOf(b) {
	case vm.Warm:
		return "waking"
	case vm.Restored:
		return "restoring"
	}
	return "booting"
}

// describe says what runs a VM, and why it is not what could be expected: that
// there is no KVM is no surprise.
func describe(info vmm.Info) string {
	text := info.Backend + ", " + info.Accel
	if info.Accel == vmm.KVM && info.Why != "" {
		text += "; " + info.Why
	}
	return text
}

// cleanup ends what start made. It is safe at any stage of start.
func (b *boot) cleanup() {
	if b.machine != nil {
		b.machine.Kill()
		<-b.done
	}
	if b.agent != nil {
		b.agent.close()
	}
	b.shares.close()
	if b.network != nil {
		b.network.Close()
	}
	if b.saved != nil {
		os.RemoveAll(b.saved.dir)
	}
}

// awaitReady returns when the guest can serve, or why it never will. first tells
// that somebody waits for that, and may give up.
func (s *supervisor) awaitReady(ctx context.Context, b *boot, first bool) (*vm.Guest, error) {
	var givenUp <-chan struct{}
	if first {
		givenUp = s.letGo
	}
	timeout := time.NewTimer(s.BootTimeout)
	defer timeout.Stop()
	select {
	case event := <-b.agent.ready:
		b.took.Link = b.lap()
		return &vm.Guest{Kernel: event.Kernel, Init: event.Init, Warnings: b.agent.warnings()}, nil
	case <-b.done:
		return nil, s.earlyEnd(b)
	case <-s.console.halted:
		return nil, s.earlyEnd(b)
	case <-timeout.C:
		return nil, &guestError{what: fmt.Sprintf("the guest was not ready after %s", s.BootTimeout), console: s.console.tail()}
	case <-givenUp:
		return nil, errors.New("the start was given up")
	case <-ctx.Done():
		if errors.Is(context.Cause(ctx), errSlow) {
			return nil, errSlow
		}
		return nil, errors.New("the supervisor was asked to end")
	}
}

// earlyEnd tells why the machine ended before the guest was ready.
func (s *supervisor) earlyEnd(b *boot) error {
	why := s.console.end()
	switch {
	case s.reasonAsked() != "":
		return endedEarly(s.reasonAsked())
	case why == "" && b.err != nil:
		return b.err
	case why == "":
		why = "the guest went down before it was ready"
	}
	return &guestError{what: why, console: s.console.tail(), again: strings.HasSuffix(why, agentapi.NoTimer)}
}

func endedEarly(asked string) error { return fmt.Errorf("the vm was %s while it started", asked) }

// config describes the VM to the backend. The order of the disks is the
// agent's: see settings.
func (s *supervisor) config() vmm.Config {
	v := s.spec()
	mac, _ := net.ParseMAC(v.MAC)
	c := vmm.Config{
		Name:      s.Name,
		Kernel:    s.Kernel.Vmlinux(),
		Initrd:    s.VMs.Path(s.Name, statedir.Initramfs),
		Cmdline:   []string{"quiet", "net.ifnames=0", "panic=-1"},
		CPUs:      v.CPUs,
		MemoryMiB: v.MemoryMiB,
		MAC:       mac,
		Console:   s.console,
		Log:       s.Log,
		DiskError: s.diskError,
		Dir:       s.VMs.Path(s.Name, ""),
		Disks: []vmm.Disk{
			{Path: s.Rootfs, ReadOnly: true},
			{Path: s.VMs.Path(s.Name, statedir.Disk)},
		},
	}
	if modules := s.Kernel.ModulesImage(); modules != "" {
		c.Disks = append(c.Disks, vmm.Disk{Path: modules, ReadOnly: true})
	}
	for _, v := range s.volumes {
		c.Disks = append(c.Disks, vmm.Disk{Path: v.File, ReadOnly: v.ReadOnly})
	}
	return c
}

func (s *supervisor) settings(keys vm.Keys) agentapi.Settings {
	v := s.spec()
	seed := make([]byte, seedSize)
	rand.Read(seed)
	settings := agentapi.Settings{
		Hostname:      s.Name,
		MachineID:     v.MachineID,
		HostKey:       string(keys.HostPEM),
		AuthorizedKey: keys.ClientLine(),
		Seed:          seed,
		MAC:           v.MAC,
		DNS:           agentapi.GatewayIP,
		Networks:      s.addresses(),
		NoInit:        s.NoInit,
		StopSignal:    s.StopSignal,
		Secrets:       s.guestSecrets,
		Copied:        s.vm.Copied,
		Swap:          swap(v.MemoryMiB),
		Root:          agentapi.Root{Image: device(0), Disk: device(1)},
	}
	settings.Search, settings.Dots = usernet.HostSearch()
	if s.Kernel.ModulesImage() != "" {
		settings.Root.Modules = device(2)
		settings.Root.KernelRelease = s.Kernel.KernelVersion
	}
	for i, v := range s.volumes {
		settings.Volumes = append(settings.Volumes, agentapi.Volume{
			Name: v.Name, Device: device(s.firstVolume() + i), Path: v.Path, ReadOnly: v.ReadOnly,
		})
	}
	return settings
}

// smallGuest is the memory of the largest guest, in MiB, that gets swap.
const smallGuest = 2048

// swap is what a guest with so much memory gets, half as much. Compressed, that takes
// a sixth or so of its memory at the most.
func swap(memoryMiB int) *agentapi.Swap {
	if memoryMiB > smallGuest {
		return nil
	}
	return &agentapi.Swap{Bytes: int64(memoryMiB) << 20 / 2}
}

// firstVolume is the number of the disk that is the VM's first volume.
func (s *supervisor) firstVolume() int {
	if s.Kernel.ModulesImage() != "" {
		return 3
	}
	return 2
}

// device is the guest's name of one of its disks.
func device(number int) string { return fmt.Sprintf("/dev/vd%c", 'a'+number) }

// addresses are the guest's in networks.
func (s *supervisor) addresses() (all []string) {
	for _, p := range s.Places {
		all = append(all, p.Address.String())
	}
	return all
}

func (s *supervisor) writeInitramfs(keys vm.Keys, mounts []vm.Mount) (err error) {
	f, err := os.OpenFile(s.VMs.Path(s.Name, statedir.Initramfs), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write the initramfs: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	settings := s.settings(keys)
	settings.Mounts = mountSettings(mounts)
	buffered := bufio.NewWriterSize(f, 1<<20)
	err = initramfs.Build(buffered, initramfs.Options{
		Initrd:     s.Kernel.Initrd(),
		ModulesDir: s.Kernel.ModulesDir(),
		Settings:   settings,
	})
	if err != nil {
		return fmt.Errorf("write the initramfs: %w", err)
	}
	return buffered.Flush()
}
