package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"banger/internal/statedir"
	"banger/internal/vm"
)

// create measures how long a VM takes to be made and how much disk it takes.
func (b bench) create(ctx context.Context) error {
	dirs, err := statedir.Default()
	if err != nil {
		return err
	}
	rootfs := dirs.ImageTree().Path("debian", statedir.Rootfs)
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	store := vm.NewStore(statedir.Tree{Kind: "vm", Dir: dir})
	var times sample
	for i := range b.pairs {
		begin := time.Now()
		_, err := store.Create(ctx, vm.VM{Name: fmt.Sprint("vm", i), CPUs: 1, MemoryMiB: 512, DiskBytes: 8 << 30}, rootfs)
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
