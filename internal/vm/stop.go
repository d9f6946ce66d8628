package vm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"banger/internal/format/vmdisk"
	"banger/internal/journal"
	"banger/internal/ref"
	"banger/internal/statedir"
)

// Stop shuts the named VM down and returns when it is down. If the guest takes longer than
// patience, it is killed, and killed is true.
func (s *Store) Stop(ctx context.Context, name string, patience time.Duration) (killed bool, err error) {
	if err := s.order(ctx, name, OpStop); err != nil {
		return false, err
	}
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = s.awaitStopped(patient, name)
	if err == nil || ctx.Err() != nil {
		return false, err
	}
	return true, s.Kill(ctx, name)
}

// IsClean reports whether the root of the named VM, which is stopped, was unmounted
// by its guest. rootfs is its image's file system.
func (s *Store) IsClean(name, rootfs string) (bool, error) {
	disk, err := os.Open(s.Path(name, statedir.Disk))
	if err != nil {
		return false, err
	}
	defer disk.Close()
	image, err := os.Open(rootfs)
	if err != nil {
		return false, err
	}
	defer image.Close()
	info, err := image.Stat()
	if err != nil {
		return false, err
	}
	return vmdisk.IsClean(disk, image, info.Size())
}

// killTimeout is how long a supervisor may take to end once it was told that its
// VM is to be killed.
const killTimeout = 10 * time.Second

// Kill kills the named VM and returns when it is down. If its supervisor does not do that,
// the supervisor is killed, and the kernel kills the VM with it.
func (s *Store) Kill(ctx context.Context, name string) error {
	err := s.order(ctx, name, OpKill)
	var phase *PhaseError
	switch {
	case errors.As(err, &phase) && phase.Phase == Stopped:
		return nil
	case errors.As(err, new(*NotFoundError)), ctx.Err() != nil:
		return err
	}
	patient, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	if err == nil && s.awaitStopped(patient, name) == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.killHolder(ctx, name)
}

// killHolder kills the process that holds the VM's lock, unless it lets go by itself soon.
func (s *Store) killHolder(ctx context.Context, name string) error {
	path := s.lockPath(name)
	lock, err := statedir.LockSoon(ctx, path)
	if errors.Is(err, statedir.ErrLocked) {
		if err := statedir.KillHolder(path); err != nil {
			return fmt.Errorf("kill the supervisor of vm %q: %w", name, err)
		}
		return s.awaitStopped(ctx, name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed
	}
	lock.Release()
	return err
}

func (s *Store) order(ctx context.Context, name, op string) error {
	if err := s.alive(name); err != nil {
		return err
	}
	conn, _, err := s.request(ctx, name, Request{Op: op})
	if err != nil {
		return err
	}
	return conn.Close()
}

// Remove deletes a VM that is not running, with its disk. The error is a
// *PhaseError where it runs.
func (s *Store) Remove(ctx context.Context, name string) error {
	if err := ref.CheckName("vm", name); err != nil {
		return err
	}
	lock, err := s.Lock(ctx, name)
	if err != nil {
		return err
	}
	defer lock.Release()
	return s.RemoveLocked(name)
}

// RemoveLocked is Remove for the holder of the VM's lock.
func (s *Store) RemoveLocked(name string) error {
	if v, err := s.load(name); err == nil {
		s.leave(v)
	}
	err := s.tree.Remove(name)
	if errors.Is(err, statedir.ErrAbsent) {
		err = s.notFound(name)
	}
	if err == nil {
		s.Note(journal.Entry{VM: name, Event: journal.Removed})
	}
	return err
}

// KillRunning is Kill for a VM that has to run: if it does not, the error is a *PhaseError.
func (s *Store) KillRunning(ctx context.Context, name string) error {
	if err := s.alive(name); err != nil {
		return err
	}
	return s.Kill(ctx, name)
}
