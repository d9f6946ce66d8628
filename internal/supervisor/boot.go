package supervisor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"banger/internal/agent/link"
	"banger/internal/agentapi"
	"banger/internal/statedir"
	"banger/internal/usernet"
	"banger/internal/vm"
	"banger/internal/vmm"
)

// boot is one run of the VMM.
type boot struct {
	network *usernet.Network
	agent   *agent
	shares  *shares // nil where the guest has no directory of the host's
	machine vmm.Machine
	release func() // what the VMM's context takes; nil before there is one
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

// start starts the VMM. If that fails, or the VM's end is asked for meanwhile, nothing is
// left.
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
	if b.saved == nil {
		if err := s.writeInitramfs(keys, mounts); err != nil {
			return err
		}
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
	b.machine, err = s.launch(b, first)
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
	if b.release != nil {
		b.release()
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
