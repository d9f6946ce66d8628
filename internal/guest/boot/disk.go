package boot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// doneFile on the VM's disk says that its first boot is over.
const doneFile = "first-boot-done"

// volumes are directories, by their names on the VM's disk, where containers
// keep layers: these need a file system that can be the upper one of an
// overlay, which an overlay cannot.
var volumes = []struct{ name, target string }{
	{"docker", "/var/lib/docker"},
	{"containerd", "/var/lib/containerd"},
	{"containers", "/var/lib/containers"},
	{"buildkit", "/var/lib/buildkit"},
	{"rancher", "/var/lib/rancher"},
}

// onDisk names a file of the VM's disk, whose mount no path leads to any more.
func (b *boot) onDisk(name string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", b.disk.Fd(), name)
}

func (b *boot) firstBoot() bool { return !exists(b.onDisk(doneFile)) }

func (b *boot) endFirstBoot() error {
	return os.WriteFile(b.onDisk(doneFile), nil, 0o600)
}

// bindVolumes binds directories of the disk over volumes. The first boot
// decides which, by making them: those that hold nothing in the image.
func (b *boot) bindVolumes(first bool) error {
	var errs []error
	for _, v := range volumes {
		if err := b.bindVolume(v.name, v.target, first); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (b *boot) bindVolume(name, target string, first bool) error {
	source := b.onDisk("volumes/" + name)
	if first {
		empty, err := isEmpty(target)
		if err != nil || !empty {
			return err
		}
		if err := os.MkdirAll(source, 0o711); err != nil {
			return err
		}
	}
	if !exists(source) {
		return nil
	}
	return mount{source: source, target: target, flags: unix.MS_BIND}.do()
}

// isEmpty tells whether dir is absent or has no entry.
func isEmpty(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return err == nil && len(entries) == 0, err
}
