// Package disks looks after the file systems that a guest has on its disks: it
// mounts them, has them grow, and leaves them clean.
//
// What is on a disk may be anything; that is for the guest's kernel to bear.
package disks

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
	"unsafe"

	"banger/internal/format/ext4"
	"banger/internal/guest/dm"
	"banger/internal/guest/uevents"

	"golang.org/x/sys/unix"
)

// KeepTables has ext4 leave inode tables alone that it would write zeros to:
// these they hold already, and in a sparse file.
const KeepTables = "noinit_itable"

// IsSmall reports whether the file system on device leaves a part of it out.
func IsSmall(device string) (bool, error) {
	f, err := os.Open(device)
	if err != nil {
		return false, err
	}
	defer f.Close()
	fs, err := ext4.Check(f)
	if err != nil {
		return false, err
	}
	size, err := f.Seek(0, io.SeekEnd)
	const enough = 8 << 20 // what is smaller may have no room for a group's tables
	return size-fs.Size > enough, err
}

// growTimeout is how long a disk may take to be seen to have grown.
const growTimeout = 20 * time.Second

// GrowLater has a file system that is mounted at dir grow with its device, to which
// the host adds until it has so many bytes.
func GrowLater(device, dir string, size int64) error {
	events, err := uevents.Listen()
	if err != nil {
		return err
	}
	defer events.Close()
	err = events.Await(growTimeout, func() bool {
		d, err := dm.Stat(device)
		return err == nil && int64(d.Sectors)*dm.SectorSize >= size
	})
	if err != nil {
		return fmt.Errorf("wait for %s to grow: %w", device, err)
	}
	var disk, root unix.Stat_t
	if err := errors.Join(unix.Stat(device, &disk), unix.Stat(dir, &root)); err != nil {
		return err
	}
	if disk.Rdev != root.Dev {
		return fmt.Errorf("%s is not mounted at %s any more", device, dir)
	}
	return Grow(device, dir)
}

// Grow makes the kernel enlarge the file system that is mounted at dir to the size of its
// device.
func Grow(device, dir string) error {
	d, err := dm.Stat(device)
	if err != nil {
		return err
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return err
	}
	root, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	const resize = 0x40086610 // EXT4_IOC_RESIZE_FS
	blocks := d.Sectors * dm.SectorSize / uint64(fs.Bsize)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, root.Fd(), resize, uintptr(unsafe.Pointer(&blocks))); errno != 0 {
		return errno
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, KeepTables); err != nil {
		return fmt.Errorf("leave the new tables alone: %w", err)
	}
	return nil
}
