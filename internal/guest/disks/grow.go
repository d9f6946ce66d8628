// Package disks looks after the file systems that a guest has on its disks: it
// mounts them, has them grow, and leaves them clean.
//
// What is on a disk may be anything; that is for the guest's kernel to bear.
package disks

import (
	"fmt"
	"io"
	"os"
	"unsafe"

	"banger/internal/format/ext4"
	"banger/internal/guest/dm"

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

// Grow has the kernel make the file system that is mounted at dir as large as
// its device.
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
