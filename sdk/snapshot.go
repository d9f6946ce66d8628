package sdk

import (
	"context"
	"time"

	"banger/internal/engine"
	"banger/internal/snapshot"
)

// Snapshot is a VM as it was at one moment.
type Snapshot struct {
	Name        string
	Description string
	VM          string // that it is of
	Running     bool   // it has the guest's memory too: what is made of it goes on; else there is the disk alone
	Created     time.Time
	DiskUsage   int64 // bytes
}

func snapshotOf(s snapshot.Snapshot) Snapshot {
	return Snapshot{s.Name, s.Description, s.VM.Name, s.Running, s.CreatedAt, s.DiskUsage}
}

// Snapshot keeps the VM as it is, which goes on. One that runs and has directories of the
// host mounted is refused. The snapshot's name is made up where there is none.
func (v *VM) Snapshot(ctx context.Context, name string) (Snapshot, error) {
	s, err := v.client.engine.CreateSnapshot(ctx, engine.SnapshotOptions{VM: v.name, Name: name}, v.client.events())
	if err != nil {
		return Snapshot{}, explain(err)
	}
	return snapshotOf(s), nil
}

// RestoreOptions say what to make of a snapshot.
type RestoreOptions struct {
	Name     string // of the VM, "" is made up
	DiskOnly bool   // boot the disk, and do not go on

	// Ephemeral has the VM removed when it stops, and by [VM.Close] or the end of
	// this process. It goes on in any case.
	Ephemeral bool
	Secrets   []Secret // of an ephemeral VM
}

// Restore makes a VM that goes on from a snapshot. It is stopped where the one that
// the snapshot is of was.
func (c *Client) Restore(ctx context.Context, snapshot string, o RestoreOptions) (*VM, error) {
	if o.Ephemeral {
		with, err := c.complete(VMOptions{Name: o.Name, Ephemeral: true, Secrets: o.Secrets})
		if err != nil {
			return nil, explain(err)
		}
		return c.hold(ctx, engine.HoldOptions{VM: with, Snapshot: snapshot, Events: c.events()})
	}
	v, err := c.engine.RestoreSnapshot(ctx, engine.RestoreOptions{Snapshot: snapshot, Name: o.Name, DiskOnly: o.DiskOnly}, c.events())
	if err != nil {
		return nil, explain(err)
	}
	return &VM{client: c, name: v.Name}, nil
}

// Revert puts the VM, which has to be stopped and not ephemeral, back to a snapshot of
// it. It keeps its name, its keys and its ports.
func (v *VM) Revert(ctx context.Context, snapshot string) error {
	_, err := v.client.engine.RestoreSnapshot(ctx, engine.RestoreOptions{Snapshot: snapshot, Replace: v.name}, v.client.events())
	return explain(err)
}

// Fork makes n running copies of the VM, which goes on. They are made of one moment;
// where one of them does not come up, none stays.
func (v *VM) Fork(ctx context.Context, n int) ([]*VM, error) {
	copies, err := v.client.engine.ForkVM(ctx, engine.ForkOptions{VM: v.name, Count: n}, v.client.events())
	if err != nil {
		return nil, explain(err)
	}
	all := make([]*VM, len(copies))
	for i, made := range copies {
		all[i] = &VM{client: v.client, name: made.Name}
	}
	return all, nil
}

// Snapshots returns all snapshots, or those of one VM, sorted by name.
func (c *Client) Snapshots(_ context.Context, vm string) ([]Snapshot, error) {
	found, err := c.engine.ListSnapshots(vm)
	if err != nil {
		return nil, explain(err)
	}
	all := make([]Snapshot, len(found))
	for i, s := range found {
		all[i] = snapshotOf(s)
	}
	return all, nil
}

// RemoveSnapshot removes a snapshot. VMs that were made of it stay.
func (c *Client) RemoveSnapshot(_ context.Context, name string) error {
	return explain(c.engine.RemoveSnapshot(name))
}
