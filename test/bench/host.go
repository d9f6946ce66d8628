package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"banger/internal/statedir"
	"banger/internal/vm"
)

// create measures how long a VM takes to be made and how much disk it takes.
// The image does not come into it, so neither does its size.
func (b bench) create(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	store := vm.NewStore(statedir.Tree{Kind: "vm", Dir: dir})
	var times sample
	for i := range b.pairs {
		begin := time.Now()
		_, err := store.Create(ctx, vm.VM{Name: fmt.Sprint("vm", i), CPUs: 1, MemoryMiB: 512, DiskBytes: 8 << 30})
		if err != nil {
			return err
		}
		times = append(times, time.Since(begin))
	}
	used, err := diskUse(filepath.Join(dir, "vm0"))
	if err != nil {
		return err
	}
	fmt.Printf("creating a VM with a disk of 8G: %v, %.1f MiB on disk\n", times, float64(used)/(1<<20))
	return nil
}

func diskUse(dir string) (total int64, err error) {
	err = filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil {
			total += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return err
	})
	return total, err
}

// idle measures the resident memory of a supervisor whose guest does nothing.
func (b bench) idle(context.Context) error {
	name := fmt.Sprint("bench-idle-", os.Getpid())
	out, err := exec.Command(b.banger, "-q", "vm", "run", "--image", "debian", "--kernel", b.kernel, "--name", name, "--", "true").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	defer exec.Command(b.banger, "vm", "rm", "--force", name).Run()
	pid, err := exec.Command("pgrep", "-f", "supervise "+name).Output()
	if err != nil {
		return fmt.Errorf("find the supervisor: %w", err)
	}
	status, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		if rss, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			fmt.Println("resident memory of an idle supervisor:", strings.TrimSpace(rss))
		}
	}
	return nil
}
