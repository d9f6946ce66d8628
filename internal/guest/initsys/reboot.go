package initsys

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

// rtMin is SIGRTMIN as C libraries count: they keep two for themselves.
const rtMin = unix.Signal(34)

// Reboot asks the init for an orderly reboot, which ends the machine and takes
// the caller with it. It returns only an error, or when ctx ends.
func (i Init) Reboot(ctx context.Context) error {
	if i.Name == "systemd" || i.now().Name == "systemd" {
		if err := i.waitForSystemd(ctx); err != nil {
			return err
		}
		i = i.now()
	}
	switch i.Name {
	case "":
		return i.signal(ctx, unix.SIGTERM) // the agent itself is PID 1
	case "busybox":
		return i.signal(ctx, unix.SIGTERM)
	case "systemd":
		return i.signal(ctx, rtMin+5)
	case "sysvinit":
		return i.command(ctx, i.Path, "6")
	case "openrc":
		return i.signal(ctx, unix.SIGINT) // its command is lost until every service is up
	default:
		return i.command(ctx, "reboot")
	}
}

// signal repeats sig until the machine ends: an init that has only just been
// executed does not heed it yet, and one that reboots already does no more.
func (i Init) signal(ctx context.Context, sig unix.Signal) error {
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		if err := unix.Kill(1, sig); err != nil {
			return fmt.Errorf("signal %s: %w", i.Name, err)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// command repeats a command until the machine ends, as signal does: an init that
// still boots may not take it yet, or take it and forget. What has been taken once
// is under way, however it fails later.
func (i Init) command(ctx context.Context, args ...string) error {
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for taken, tries := false, 1; ; tries++ {
		err := exec.CommandContext(ctx, args[0], args[1:]...).Run()
		taken = taken || err == nil
		var refused *exec.ExitError
		if !taken && (!errors.As(err, &refused) || tries == maxTries) {
			return fmt.Errorf("run %s: %w", args[0], err)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// maxTries is how often a command may be refused, a second apart.
const maxTries = 5
