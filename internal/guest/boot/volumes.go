package boot

import (
	"errors"
	"fmt"

	"banger/internal/agentapi"
	"banger/internal/format/ext4"
	"banger/internal/guest/disks"

	"golang.org/x/sys/unix"
)

// mountVolumes mounts the VM's volumes, without which no program is to run: it
// would write to another place.
func (b *boot) mountVolumes() error {
	for _, v := range b.settings.Volumes {
		if err := b.mountVolume(v); err != nil {
			return fmt.Errorf("volume %q: %w", v.Name, err)
		}
	}
	return nil
}

func (b *boot) mountVolume(v agentapi.Volume) error {
	if v.ReadOnly {
		return mount{v.Device, v.Path, "ext4", unix.MS_RDONLY, ""}.do()
	}
	small, err := disks.IsSmall(v.Device)
	if errors.Is(err, ext4.ErrNotExt4) {
		return errors.New("it holds no ext4 file system any more")
	}
	if err != nil {
		return err
	}
	return b.mountGrown(fmt.Sprintf("volume %q", v.Name), v.Device, v.Path, small)
}
