package tree

import (
	"golang.org/x/sys/unix"
)

// isKernels reports whether the file system mounted at a directory shows the
// kernel, and keeps no files.
func isKernels(dir int, base string) bool {
	fd, err := unix.Openat(dir, base, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return IsKernels(fd)
}

// IsKernels is that of a descriptor's file system.
func IsKernels(fd int) bool {
	var st unix.Statfs_t
	if unix.Fstatfs(fd, &st) != nil {
		return false
	}
	switch st.Type {
	case unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.DEVPTS_SUPER_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC,
		unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC, unix.BPF_FS_MAGIC, unix.PSTOREFS_MAGIC, unix.SELINUX_MAGIC,
		unix.BINFMTFS_MAGIC, unix.EFIVARFS_MAGIC:
		return true
	}
	return false
}
