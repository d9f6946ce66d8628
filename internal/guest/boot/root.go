package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"banger/internal/guest/console"

	"golang.org/x/sys/unix"
)

// Mount points in the initramfs. They stand at its top: what clears it away
// goes by file system, one level at a time.
const (
	imageDir = "/image"
	diskDir  = "/disk"
	rootDir  = "/root.new"
)

// Directories on the VM's disk.
const (
	upperDir = diskDir + "/upper"
	workDir  = diskDir + "/work"
)

// enterRoot joins image and disk to the guest's root and makes it this
// process's. The initramfs, with the host key in it, is deleted.
func (b *boot) enterRoot() error {
	if err := mountImage(b.settings.Root.Image); err != nil {
		return err
	}
	// The kernel would otherwise write zeros to all of the inode tables, which
	// hold nothing else in a sparse file.
	disk := mount{b.settings.Root.Disk, diskDir, "ext4", 0, "noinit_itable"}
	if err := disk.do(); err != nil {
		return err
	}
	var err error
	if b.disk, err = os.Open(diskDir); err != nil {
		return err
	}
	if err := makeUpper(); err != nil {
		return fmt.Errorf("prepare the VM's disk: %w", err)
	}
	options := "lowerdir=" + imageDir + ",upperdir=" + upperDir + ",workdir=" + workDir + ",redirect_dir=on,xino=on"
	if err := (mount{"banger", rootDir, "overlay", 0, options}).do(); err != nil {
		return err
	}
	console.Log("root is mounted")
	if err := switchRoot(); err != nil {
		return fmt.Errorf("switch to the root: %w", err)
	}
	return nil
}

// mountImage mounts the image read-only, also where its journal was left
// dirty: then without looking at that.
func mountImage(device string) error {
	m := mount{device, imageDir, "ext4", unix.MS_RDONLY, ""}
	err := m.do()
	if errors.Is(err, unix.EROFS) {
		m.data = "noload"
		err = m.do()
	}
	return err
}

// makeUpper makes the overlay's directories at the first boot. A merged root
// has the attributes of its upper directory, so they are taken from the image.
func makeUpper() error {
	if err := os.Mkdir(workDir, 0o700); err != nil && !os.IsExist(err) {
		return err
	}
	if err := os.Mkdir(upperDir, 0o700); err != nil {
		if os.IsExist(err) {
			return nil
		}
		return err
	}
	info, err := os.Stat(imageDir)
	if err != nil {
		return err
	}
	stat := info.Sys().(*syscall.Stat_t)
	if err := os.Chown(upperDir, int(stat.Uid), int(stat.Gid)); err != nil {
		return err
	}
	return os.Chmod(upperDir, info.Mode())
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
