package engine

import (
	"context"
	"errors"
	"fmt"

	"banger/internal/vm"
	"banger/internal/volume"
)

// Volume is a volume and the VMs that have it.
type Volume struct {
	volume.Volume
	Users []VolumeUser `json:"users"`
}

// VolumeUser is a VM that has a volume.
type VolumeUser struct {
	VM       string `json:"vm"`
	Path     string `json:"path"` // in its guest
	ReadOnly bool   `json:"read_only,omitempty"`
	Attached bool   `json:"attached"` // the VM runs
}

// VolumeOptions say what volume to make.
type VolumeOptions struct {
	Name   string
	Size   int64 // bytes, 0 is the size of a VM's disk as it is configured
	Labels vm.Labels
}

// CreateVolume makes an empty volume.
func (e *Engine) CreateVolume(ctx context.Context, o VolumeOptions) (Volume, error) {
	if o.Size == 0 {
		o.Size = int64(e.Config.Disk)
	}
	v, err := e.volumes.Create(ctx, o.Name, o.Size, o.Labels)
	return Volume{Volume: v, Users: []VolumeUser{}}, err
}

// ListVolumes returns all volumes that have the labels, sorted by name.
func (e *Engine) ListVolumes(labels vm.Labels) ([]Volume, error) {
	all, err := e.volumes.List()
	if err != nil {
		return nil, err
	}
	vms, err := e.vms.List()
	var those []Volume
	for _, v := range all {
		if v.Labels.Have(labels) {
			those = append(those, Volume{v, volumeUsers(vms, v.Name)})
		}
	}
	return those, err
}

// Volume returns the named volume.
func (e *Engine) Volume(name string) (Volume, error) {
	v, err := e.volumes.Get(name)
	if err != nil {
		return Volume{}, err
	}
	vms, err := e.vms.List()
	return Volume{v, volumeUsers(vms, name)}, err
}

// volumeUsers finds a volume's users: of a VM that runs, what it has now counts.
func volumeUsers(vms []vm.VM, name string) []VolumeUser {
	users := []VolumeUser{}
	for _, v := range vms {
		has, alive := v.Volumes, v.State.Phase.Alive()
		if alive {
			has = v.State.Volumes
		}
		for _, its := range has {
			if its.Name == name {
				users = append(users, VolumeUser{v.Name, its.Path, its.ReadOnly, alive})
			}
		}
	}
	return users
}

// SetVolume changes a volume. It can only grow; if a running VM writes to it, so does its
// file system at once. Nothing else can be changed while a running VM has it.
func (e *Engine) SetVolume(ctx context.Context, name string, c volume.Change, events Events) (Volume, error) {
	_, err := e.volumes.Set(ctx, name, c)
	if errors.As(err, new(*volume.AttachedError)) && c.Size != 0 && len(c.Labels) == 0 {
		err = e.growAttached(ctx, name, c.Size, err, events)
	}
	if err != nil {
		return Volume{}, e.whoHas(err)
	}
	return e.Volume(name)
}

// growAttached lets the VM that writes to a volume grow it. If no VM does, the error is
// attached.
func (e *Engine) growAttached(ctx context.Context, name string, size int64, attached error, events Events) error {
	v, err := e.Volume(name)
	if err != nil {
		return err
	}
	for _, user := range v.Users {
		if user.Attached && !user.ReadOnly {
			return e.vms.Telling(events.stage).GrowVolume(ctx, user.VM, name, size)
		}
	}
	return attached
}

// RemoveVolume removes a volume and all that is in it. If a VM has it, even a stopped one,
// the error is an *InUseError.
func (e *Engine) RemoveVolume(ctx context.Context, name string) error {
	if _, err := e.volumes.Get(name); errors.As(err, new(*volume.NotFoundError)) {
		return err // a damaged one can be removed
	}
	if err := e.volumeUnused(name); err != nil {
		return err
	}
	return e.whoHas(e.volumes.Remove(ctx, name))
}

// PruneVolumes removes the volumes that no VM has and that have the labels. If it fails, it
// also returns what it removed before.
func (e *Engine) PruneVolumes(ctx context.Context, labels vm.Labels) (removed []Volume, err error) {
	all, err := e.ListVolumes(labels)
	if err != nil {
		return nil, err
	}
	for _, v := range all {
		if v.CreatedAt.IsZero() {
			continue // it cannot be read: nobody knows what it is worth
		}
		err := e.RemoveVolume(ctx, v.Name)
		switch {
		case err == nil:
			removed = append(removed, v)
		case errors.As(err, new(*InUseError)), errors.As(err, new(*volume.AttachedError)), Gone(err):
		default:
			return removed, err
		}
	}
	return removed, nil
}

// volumeUnused returns an *InUseError if a VM has the volume.
func (e *Engine) volumeUnused(name string) error {
	vms, err := e.vms.List()
	return inUse("volume", name, vmsThat(func(v vm.VM) bool { return v.Uses(name) }, vms), err)
}

// whoHas adds to an error about a volume in use which VM has it.
func (e *Engine) whoHas(err error) error {
	if attached, ok := errors.AsType[*volume.AttachedError](err); ok {
		vms, _ := e.vms.List()
		attached.By = volume.Holders(vms, attached.Name)
	}
	return err
}

// provideVolumes makes the volumes that do not exist yet, and returns what undoes that.
// Volumes that are attached read-only have to exist.
func (e *Engine) provideVolumes(ctx context.Context, volumes []vm.Volume, events Events) (undo func(), err error) {
	var made []string
	undo = func() {
		for _, name := range made {
			events.warn(e.volumes.Remove(context.WithoutCancel(ctx), name))
		}
	}
	for _, v := range volumes {
		_, err := e.volumes.Get(v.Name)
		if errors.As(err, new(*volume.NotFoundError)) && !v.ReadOnly {
			if _, err = e.CreateVolume(ctx, VolumeOptions{Name: v.Name}); err == nil {
				made = append(made, v.Name)
				events.notice(fmt.Sprintf("made volume %s", v.Name))
			}
		}
		if err != nil {
			undo()
			return nil, err
		}
	}
	return undo, nil
}
