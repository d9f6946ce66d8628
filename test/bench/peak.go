package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// peakFlag makes this program a small one that runs another and prints the
// most memory that it had, in KiB: a process inherits the record of the one that
// started it, and measuring takes more than what is measured.
const peakFlag = "-peak-of"

// peak runs a command by way of this program and returns its peak memory.
func peak(cmd *exec.Cmd) (kib int64, err error) {
	cmd.Args = append([]string{os.Args[0], peakFlag}, cmd.Args...)
	cmd.Path = "/proc/self/exe"
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	_, err = fmt.Sscan(string(out), &kib)
	return kib, err
}

// printPeak is this program behind peakFlag.
func printPeak(args []string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return err
	}
	fmt.Println(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
	return nil
}
