package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"banger/internal/guest/console"
	"banger/internal/guest/disks"

	"golang.org/x/sys/unix"
)

// rootDir is where the root is mounted in the initramfs. It stands at the top:
// what clears that away goes by file system, one level at a time.
const rootDir = "/root.new"

// enterRoot joins image and disk to the guest's root and makes it this
// process's. The initramfs, with the host key in it, is deleted.
func (b *boot) enterRoot() error {
	var err error
	if b.disk, err = openDisk(b.settings.Root); err != nil {
		return err
	}
	device, err := b.disk.join()
	if err != nil {
		return err
	}
	if err := b.mountRoot(device); err != nil {
		return err
	}
	console.Log("root is mounted")
	if err := switchRoot(); err != nil {
		return fmt.Errorf("switch to the root: %w", err)
	}
	return nil
}

// mountRoot mounts the root. At the first boot it becomes as large as its
// device, where the host could not do that.
func (b *boot) mountRoot(device string) error {
	small, err := disks.IsSmall(device)
	if err != nil && !b.disk.lived {
		return err // later on the kernel is to say what it makes of it
	}
	return b.mountGrown("the root", device, rootDir, small)
}

// mountGrown mounts a file system to be written to, and makes it as large as its
// device where it is small.
func (b *boot) mountGrown(what, device, dir string, small bool) error {
	fs := mount{device, dir, "ext4", 0, disks.KeepTables}
	if !small {
		return fs.do()
	}
	fs.data = "" // or the kernel would write all tables before it is larger
	if err := fs.do(); err != nil {
		return err
	}
	b.warn("grow "+what, disks.Grow(device, dir))
	return nil
}

// switchRoot does what switch_root(8) does.
func switchRoot() error {
	if err := os.Chdir(rootDir); err != nil {
		return err
	}
	if err := clearInitramfs(); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return err
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	return os.Chdir("/")
}

// clearInitramfs deletes the initramfs's files, whose memory nothing else
// would free. The running program stays until it ends.
func clearInitramfs() error {
	var root unix.Stat_t
	if err := unix.Lstat("/", &root); err != nil {
		return err
	}
	return clearDir("/", root.Dev)
}

// clearDir deletes what is in dir and on the file system dev, and nothing else.
func clearDir(dir string, dev uint64) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		var stat unix.Stat_t
		if err := unix.Lstat(path, &stat); err != nil {
			return err
		}
		if stat.Dev != dev {
			continue
		}
		if entry.IsDir() {
			if err := clearDir(path, dev); err != nil {
				return err
			}
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, unix.EBUSY) {
			return err
		}
	}
	return nil
}
