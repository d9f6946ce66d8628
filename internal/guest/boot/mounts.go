package boot

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"banger/internal/guest/initsys"

	"golang.org/x/sys/unix"
)

// mount is one file system to mount.
type mount struct {
	source, target, fstype string
	flags                  uintptr
	data                   string
}

const quiet = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// early is for the initramfs; the new root hides it.
var early = []mount{
	{"proc", "/proc", "proc", quiet, ""},
	{"sysfs", "/sys", "sysfs", quiet, ""},
	{"devtmpfs", "/dev", "devtmpfs", unix.MS_NOSUID, "mode=0755"},
}

// system is what commands need, whether or not an init has come so far: an
// init leaves alone what is mounted already.
var system = []mount{
	{"proc", "/proc", "proc", quiet, ""},
	{"sysfs", "/sys", "sysfs", quiet, ""},
	{"devtmpfs", "/dev", "devtmpfs", unix.MS_NOSUID, "mode=0755"},
	{"devpts", "/dev/pts", "devpts", unix.MS_NOSUID | unix.MS_NOEXEC, "gid=5,mode=620,ptmxmode=666"},
	{"tmpfs", "/dev/shm", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
}

// withInit is for images with an init. Without one /run stays the image's own,
// since nothing would make in it again what services expect there.
var withInit = []mount{
	{"tmpfs", "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=0755,size=20%"},
}

// withoutInit is what an init would mount.
var withoutInit = []mount{
	{"cgroup2", "/sys/fs/cgroup", "cgroup2", quiet, "nsdelegate,memory_recursiveprot"},
}

func mountSystem(init initsys.Init) error {
	if err := mountAll(system); err != nil {
		return err
	}
	for name, target := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(target, "/dev/"+name); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	if init.Path != "" {
		return mountAll(withInit)
	}
	// Containers want to pass mounts on, and systemd would have allowed it.
	if err := unix.Mount("", "/", "", unix.MS_SHARED|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("share /: %w", err)
	}
	return mountAll(withoutInit)
}

func mountAll(mounts []mount) error {
	for _, m := range mounts {
		if err := m.do(); err != nil {
			return err
		}
	}
	return nil
}

// do mounts m on its target, which is made where absent.
func (m mount) do() error {
	if err := os.MkdirAll(m.target, 0o755); err != nil {
		return fmt.Errorf("mount %s: %w", m.target, err)
	}
	if err := unix.Mount(m.source, m.target, m.fstype, m.flags, m.data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", m.source, m.target, err)
	}
	return nil
}

// mountModules puts the kernel's modules where modprobe looks for them.
func mountModules(device, release string) error {
	if release == "" || strings.Contains(release, "/") {
		return fmt.Errorf("kernel release %q", release)
	}
	return mount{device, "/lib/modules/" + release, "ext4", unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV, ""}.do()
}
