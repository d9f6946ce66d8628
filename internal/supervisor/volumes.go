package supervisor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"banger/internal/agentapi"
	"banger/internal/vm"
	"banger/internal/volume"
)

// attachVolumes takes the VM's volumes for as long as this process lives. They
// are in the order of their paths: what is mounted below another comes later.
func (s *supervisor) attachVolumes(ctx context.Context) error {
	volumes := slices.SortedFunc(slices.Values(s.spec().Volumes), func(a, b vm.Volume) int { return cmp.Compare(a.Path, b.Path) })
	for _, v := range volumes {
		attached, err := s.Volumes.Attach(ctx, v)
		if err != nil {
			s.releaseVolumes()
			return s.whoHas(err)
		}
		s.volumes = append(s.volumes, attached)
	}
	s.save(func(st *vm.State) { st.Volumes = volumes })
	return nil
}

func (s *supervisor) releaseVolumes() {
	for _, v := range s.volumes {
		v.Release()
	}
	s.volumes = nil
}

// whoHas adds to an error of a volume that others have who they are.
func (s *supervisor) whoHas(err error) error {
	if attached, ok := errors.AsType[*volume.AttachedError](err); ok {
		all, _ := s.VMs.List()
		others := slices.DeleteFunc(all, func(v vm.VM) bool { return v.Name == s.Name })
		attached.By = volume.Holders(others, attached.Name)
	}
	return err
}

// settleTimeout is how long a guest may take to write what its volumes lack.
const settleTimeout = 20 * time.Second

// settle has what was written to the VM's volumes on them, as the machine goes down
// without a word to its init.
func (s *supervisor) settle(b *boot) {
	var want agentapi.SettleStream
	for i, v := range s.volumes {
		if !v.ReadOnly {
			want.Devices = append(want.Devices, device(s.firstVolume()+i))
		}
	}
	if len(want.Devices) == 0 {
		return
	}
	s.resume(nil)
	if _, err := b.agent.ask(settleTimeout, agentapi.StreamSettle, want); err != nil {
		fmt.Fprintln(s.Log, "write what the volumes lack:", err)
	}
}

// growTimeout is how long VMM and guest may take to use what a volume has grown by:
// less than who asked for that waits.
const growTimeout = 30 * time.Second

// growVolume makes a volume larger that the guest writes to, and has its file system
// grow.
func (s *supervisor) growVolume(c *caller, name string, size int64) error {
	end, err := s.turns.take("a volume of it grows", c)
	if err != nil {
		return err
	}
	defer end()
	s.mu.Lock()
	b, phase := s.boot, s.vm.State.Phase
	s.mu.Unlock()
	if b == nil || phase != vm.Running {
		return &vm.PhaseError{Name: s.Name, Phase: phase}
	}
	i := slices.IndexFunc(s.volumes, func(a *volume.Attachment) bool { return a.Name == name && !a.ReadOnly })
	if i < 0 {
		return fmt.Errorf("vm %q does not write to volume %q", s.Name, name)
	}
	a, disk := s.volumes[i], s.firstVolume()+i
	size, err = a.Grow(size)
	if err != nil {
		return err
	}
	by := time.Now().Add(growTimeout)
	ctx, cancel := context.WithDeadline(context.Background(), by)
	defer cancel()
	if err = b.machine.Resize(ctx, disk, size); err == nil {
		_, err = b.agent.ask(time.Until(by), agentapi.StreamGrow, agentapi.GrowStream{Device: device(disk), Path: a.Path, Bytes: size})
	}
	if err != nil {
		return fmt.Errorf("volume %q has grown, its file system does when it is next attached: %w", name, err)
	}
	return nil
}
