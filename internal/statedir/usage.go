package statedir

import (
	"io/fs"
	"syscall"
)

// DiskUsage is how much of the disk a file takes, in bytes: holes take nothing.
func DiskUsage(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * 512
	}
	return info.Size()
}
