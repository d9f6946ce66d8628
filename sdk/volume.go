package sdk

import (
	"context"

	"banger/internal/engine"
)

// Volume is a file system that outlives the VMs that have it.
type Volume struct {
	Name      string
	Size      int64 // bytes
	DiskUsage int64 // bytes of the host's disk
	Labels    map[string]string
	VMs       []string // that have it
}

func volumeOf(v engine.Volume) Volume {
	made := Volume{Name: v.Name, Size: v.SizeBytes, DiskUsage: v.DiskUsage, Labels: v.Labels}
	for _, user := range v.Users {
		made.VMs = append(made.VMs, user.VM)
	}
	return made
}

// CreateVolume makes an empty volume of so many bytes; what is not written takes no
// disk. 0 is the size of a VM's disk.
func (c *Client) CreateVolume(ctx context.Context, name string, size int64) (Volume, error) {
	v, err := c.engine.CreateVolume(ctx, engine.VolumeOptions{Name: name, Size: size})
	if err != nil {
		return Volume{}, explain(err)
	}
	return volumeOf(v), nil
}

// Volumes returns all volumes, sorted by name.
func (c *Client) Volumes(context.Context) ([]Volume, error) {
	found, err := c.engine.ListVolumes(nil)
	if err != nil {
		return nil, explain(err)
	}
	all := make([]Volume, len(found))
	for i, v := range found {
		all[i] = volumeOf(v)
	}
	return all, nil
}

// RemoveVolume removes a volume that no VM has, and all that is in it.
func (c *Client) RemoveVolume(ctx context.Context, name string) error {
	return explain(c.engine.RemoveVolume(ctx, name))
}
