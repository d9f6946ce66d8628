package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"banger/internal/agentapi"
	"banger/internal/journal"
	"banger/internal/snapshot"
	"banger/internal/statedir"
	"banger/internal/vm"
)

// SnapshotOptions say what to take a snapshot of.
type SnapshotOptions struct {
	VM          string
	Name        string // "" is made up
	Description string
}

// CreateSnapshot takes a snapshot of a VM, which goes on.
func (e *Engine) CreateSnapshot(ctx context.Context, o SnapshotOptions, events Events) (snapshot.Snapshot, error) {
	return e.createSnapshot(ctx, o, events, func(*snapshot.Draft) error { return nil })
}

// HoldSnapshot is CreateSnapshot for a snapshot that is removed when this process ends, by
// whatever means. After release, it is the caller's to remove.
func (e *Engine) HoldSnapshot(ctx context.Context, o SnapshotOptions, events Events) (snap snapshot.Snapshot, release func(), err error) {
	var claim *statedir.Lock
	snap, err = e.createSnapshot(ctx, o, events, func(draft *snapshot.Draft) (err error) {
		claim, err = draft.Claim()
		return err
	})
	if err != nil {
		claim.Release()
	}
	return snap, claim.Release, err
}

func (e *Engine) createSnapshot(ctx context.Context, o SnapshotOptions, events Events, claim func(*snapshot.Draft) error) (snapshot.Snapshot, error) {
	name := cmp.Or(o.Name, o.VM+"-"+strings.ToLower(time.Now().UTC().Format("20060102-150405")))
	if e.snapshots.Exists(name) {
		return snapshot.Snapshot{}, fmt.Errorf("snapshot %q %w", name, errTaken)
	}
	draft, err := e.snapshots.Draft()
	if err != nil {
		return snapshot.Snapshot{}, err
	}
	defer draft.Discard()
	events.stage("saving " + o.VM)
	snap, err := e.save(ctx, o.VM, draft, events)
	if err != nil {
		return snap, err
	}
	if err := claim(draft); err != nil {
		return snap, err
	}
	snap.Name, snap.Description = name, o.Description
	if snap, err = draft.Publish(ctx, snap); err != nil {
		return snap, err
	}
	e.vms.Note(journal.Entry{VM: o.VM, Event: journal.Snapshot, Detail: name})
	return snap, nil
}

// save writes a VM into a draft.
func (e *Engine) save(ctx context.Context, name string, draft *snapshot.Draft, events Events) (snapshot.Snapshot, error) {
	saved, err := e.vms.Telling(events.stage).Snapshot(ctx, name, draft.Dir())
	if err != nil {
		return snapshot.Snapshot{}, fmt.Errorf("take a snapshot of vm %q: %w", name, err)
	}
	v, err := e.vms.Get(name)
	if err != nil {
		return snapshot.Snapshot{}, err
	}
	kernel, err := e.kernels.Get(v.Kernel)
	if err != nil {
		return snapshot.Snapshot{}, err
	}
	machine := snapshot.Machine{
		KernelDigest: kernel.Digest(), ImageDigest: v.ImageDigest, AgentProtocol: agentapi.RestoreProtocol,
	}
	machine.CPU, machine.CPUFeatures = snapshot.Processor()
	if saved.Running {
		machine.VMM = v.State.VMM
	}
	v.State = vm.State{}
	return snapshot.Snapshot{
		Name: name, VM: v, Running: saved.Running, PausedMillis: saved.PausedMillis, Machine: machine,
	}, nil
}

// ListSnapshots returns all snapshots, or those of one VM, sorted by name.
func (e *Engine) ListSnapshots(of string) ([]snapshot.Snapshot, error) {
	all, err := e.snapshots.List()
	var those []snapshot.Snapshot
	for _, s := range all {
		if of == "" || s.VM.Name == of {
			those = append(those, s)
		}
	}
	return those, err
}

// Snapshot returns the named snapshot.
func (e *Engine) Snapshot(name string) (snapshot.Snapshot, error) { return e.snapshots.Get(name) }

// RemoveSnapshot removes a snapshot; VMs that were made of it stay.
func (e *Engine) RemoveSnapshot(name string) error { return e.snapshots.Remove(name) }

// VerifySnapshot checks that a snapshot is what it was.
func (e *Engine) VerifySnapshot(ctx context.Context, name string) error {
	if _, err := e.snapshots.Get(name); err != nil {
		return err
	}
	return lost("snapshot", name, e.snapshots.Exists, e.snapshots.Verify(ctx, name))
}

// RestoreOptions say what to make of a snapshot.
type RestoreOptions struct {
	Snapshot string
	Name     string // of the new VM, "" is made up
	Replace  string // a VM that is put back, in place of a new one
	DiskOnly bool   // boot the disk
}

// RestoreSnapshot makes a VM from a snapshot. Its guest goes on where the snapshot was
// taken; if that was of a stopped VM, the new one is stopped too, unless DiskOnly asks for
// a boot.
func (e *Engine) RestoreSnapshot(ctx context.Context, o RestoreOptions, events Events) (vm.VM, error) {
	snap, err := e.snapshots.Get(o.Snapshot)
	if err != nil {
		return vm.VM{}, err
	}
	v, origin, err := e.copyOf(ctx, snap, e.snapshots.Path(snap.Name, ""), o.DiskOnly)
	if err != nil {
		return vm.VM{}, err
	}
	if o.Replace != "" {
		v.Name, v.Ports, v.Mounts = o.Replace, snap.VM.Ports, snap.VM.Mounts
		v, err = e.vms.ReplaceByCopy(ctx, v, origin)
	} else {
		v.Name = cmp.Or(o.Name, madeUpName(snap.VM.Name))
		v, err = e.vms.CreateCopy(ctx, v, origin)
	}
	err = lost("snapshot", snap.Name, e.snapshots.Exists, err)
	if err != nil || !origin.GoOn && !o.DiskOnly {
		return v, err
	}
	lease, err := e.start(ctx, SuperviseOptions{Name: v.Name}, events)
	if err != nil {
		if o.Replace == "" {
			events.warn(e.removeIfThere(ctx, v.Name))
		}
		return v, err
	}
	return v, lease.End()
}

// copyOf returns a VM that is still to be named, and what it is made from.
func (e *Engine) copyOf(ctx context.Context, snap snapshot.Snapshot, dir string, diskOnly bool) (vm.VM, vm.Origin, error) {
	v, origin := snap.VM, vm.Origin{Dir: dir, GoOn: snap.Running && !diskOnly, Label: snap.Name}
	v.Ephemeral, v.Ports = false, nil // which the VM itself may have open
	v.Mounts = nil                    // which are for that one, and not for every copy
	v.Secrets = nil                   // whoever makes a copy gives it its own
	v.Detached, v.Main = false, nil   // which goes on, or belongs to the other one
	here, err := e.machine(ctx, snap, origin.GoOn)
	if err != nil {
		return v, origin, err
	}
	if origin.GoOn {
		v.VMM = snap.Machine.VMM.Backend
		return v, origin, snap.Check(here)
	}
	return v, origin, snap.CheckDisk(here)
}

// machine describes what a guest of this snapshot could go on in here.
func (e *Engine) machine(ctx context.Context, snap snapshot.Snapshot, goOn bool) (here snapshot.Machine, err error) {
	image, err := e.images.Get(snap.VM.Image)
	if err != nil {
		return here, err
	}
	kernel, err := e.kernels.Get(snap.VM.Kernel)
	if err != nil {
		return here, err
	}
	here = snapshot.Machine{KernelDigest: kernel.Digest(), ImageDigest: image.Digest, AgentProtocol: agentapi.RestoreProtocol}
	if !goOn {
		return here, nil
	}
	if snap.Machine.VMM == nil {
		return here, errors.New("the snapshot does not say what it was taken in")
	}
	backend, err := e.backend(snap.Machine.VMM.Backend)
	if err != nil {
		return here, err
	}
	info, err := backend.Probe(ctx)
	here.VMM = &info
	here.CPU, here.CPUFeatures = snapshot.Processor()
	return here, err
}
