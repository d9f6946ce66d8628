package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// disk is a file system of its own, mounted.
type disk struct{ image, dir string }

const mountOptions = "loop,commit=900" // so that it flushes nothing by itself

// newDisk makes an ext4, with so many inodes if not 0.
func newDisk(megabytes, inodes int) (d *disk, remove func(), err error) {
	if os.Geteuid() != 0 {
		return nil, nil, skipped{"only root can mount a file system"}
	}
	top, err := os.MkdirTemp("", "banger-disk-")
	if err != nil {
		return nil, nil, err
	}
	d = &disk{filepath.Join(top, "image"), filepath.Join(top, "mnt")}
	remove = func() {
		unix.Unmount(d.dir, 0)
		os.RemoveAll(top)
	}
	mkfs := []string{"/sbin/mke2fs", "-q", "-t", "ext4", "-m", "0"}
	if inodes > 0 {
		mkfs = append(mkfs, "-b", "4096", "-N", fmt.Sprint(inodes))
	}
	mkfs = append(mkfs, d.image, fmt.Sprintf("%dM", megabytes))
	err = errors.Join(os.Mkdir(d.dir, 0o700), exec.Command(mkfs[0], mkfs[1:]...).Run(), d.mount())
	if err != nil {
		remove()
		return nil, nil, skipped{fmt.Sprintf("no file system of its own can be mounted here: %v", err)}
	}
	return d, remove, nil
}

func (d *disk) mount() error {
	return exec.Command("mount", "-o", mountOptions, d.image, d.dir).Run()
}

// cut is a power cut: what is not on the disk does not get there. The file system
// is mounted again.
func (d *disk) cut() error {
	const (
		shutdown = 0x8004587d // EXT4_IOC_SHUTDOWN
		noFlush  = 2          // EXT4_GOING_FLAGS_NOLOGFLUSH
	)
	f, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	flags := uint32(noFlush)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), shutdown, uintptr(unsafe.Pointer(&flags)))
	f.Close()
	if errno != 0 {
		return skipped{fmt.Sprintf("a file system cannot be shut down here: %v", errno)}
	}
	if err := d.unmount(); err != nil {
		return err
	}
	return d.mount()
}

// unmount waits for what was killed and has files open to be gone: a power cut leaves
// none of that, and no event tells of it.
func (d *disk) unmount() error {
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if err := unix.Unmount(d.dir, 0); !errors.Is(err, unix.EBUSY) || time.Now().After(end) {
			return err
		}
	}
}

// powerCuts cuts the power of the disk, after operations and in the middle.
func powerCuts(ctx context.Context, s *soak) error {
	d, unmount, err := newDisk(96, 0)
	if err != nil {
		return err
	}
	defer unmount()
	h, remove, err := s.newHome(filepath.Join(d.dir, "home"))
	if err != nil {
		return err
	}
	defer remove()
	for ; ctx.Err() == nil; s.rounds++ {
		o := s.operation()
		if err := s.cutDuring(d, h, o); err != nil {
			return fmt.Errorf("after banger %s and a power cut: %w", strings.Join(o.args, " "), err)
		}
	}
	return nil
}

// cutDuring cuts the power after o, or while it goes on.
func (s *soak) cutDuring(d *disk, h *home, o operation) error {
	limit, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if s.rand.IntN(3) == 0 {
		soon, stop := context.WithTimeout(limit, time.Duration(s.rand.IntN(60))*time.Millisecond)
		defer stop()
		limit = soon
	}
	err := h.command(limit, o.args...).Run()
	if err := d.cut(); err != nil {
		return err
	}
	if err == nil {
		if err := o.holds(h); err != nil {
			return err
		}
	}
	return h.check()
}

// noSpace works on a disk that is nearly full.
func noSpace(ctx context.Context, s *soak) error { return scarce(ctx, s, 7, 0) }

// noInodes works on a disk with next to no inodes left.
func noInodes(ctx context.Context, s *soak) error { return scarce(ctx, s, 64, 32) }

func scarce(ctx context.Context, s *soak, megabytes, inodes int) error {
	d, unmount, err := newDisk(megabytes, inodes)
	if err != nil {
		return err
	}
	defer unmount()
	h, remove, err := s.newHome(filepath.Join(d.dir, "home"))
	if err != nil {
		return err
	}
	defer remove()
	if err := h.fill(); err != nil {
		return err
	}
	for ; ctx.Err() == nil; s.rounds++ {
		o := s.operation()
		r, err := h.run(o.args...)
		if err == nil && r.code == 0 {
			err = o.holds(h)
		}
		if err == nil {
			err = h.check()
		}
		if err != nil {
			return fmt.Errorf("after %s: %w", r, err)
		}
	}
	return nil
}

// fill makes images until the disk is full, and removes them.
func (h *home) fill() error {
	const enough = 30
	for i := range enough {
		name := fmt.Sprint("full-", i)
		r, err := h.run("image", "pull", "tar:large.tar", "--name", name, "--kernel-ref", base)
		if err != nil {
			return err
		}
		if r.code == 0 {
			defer h.run("image", "rm", name)
			continue
		}
		if strings.Contains(r.stderr, "no space left on device") {
			return h.check()
		}
		return errors.New(r.String())
	}
	return fmt.Errorf("the disk is not full with %d images", enough)
}
