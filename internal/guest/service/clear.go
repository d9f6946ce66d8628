package service

import (
	"os"

	"golang.org/x/sys/unix"
)

// ClearArgument makes the agent clear the guest's free memory.
const ClearArgument = "clear"

// ClearFree makes free memory zeros, which a VMM leaves out where it saves a guest:
// the kernel clears what it gives to a program, and takes it back as it is.
//
// It is for a process of its own, which is the one to be killed where memory runs
// out meanwhile.
func ClearFree() error {
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0); err != nil {
		return err
	}
	const (
		huge  = 2 << 20  // a page that is cleared at once
		spare = 16 << 20 // that others may need meanwhile
	)
	for {
		var info unix.Sysinfo_t
		if err := unix.Sysinfo(&info); err != nil {
			return err
		}
		size := (int(info.Freeram)*int(info.Unit) - spare) / 2 / huge * huge
		if size <= 0 {
			return nil
		}
		part, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if err != nil {
			return err
		}
		_ = unix.Madvise(part, unix.MADV_HUGEPAGE) // where the kernel has them
		for at := 0; at < size; at += os.Getpagesize() {
			part[at] = 0
		}
	}
}
