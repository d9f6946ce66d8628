package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// kills ends operations at random times.
func kills(ctx context.Context, s *soak) error {
	h, remove, err := s.newHome("")
	if err != nil {
		return err
	}
	defer remove()
	for ; ctx.Err() == nil; s.rounds++ {
		o := s.operation()
		usual := 20 * time.Millisecond
		if o.long {
			usual = 2 * time.Second
		}
		moment := time.Duration(s.rand.ExpFloat64() * float64(usual))
		killed, cancel := context.WithTimeout(context.Background(), moment)
		err := h.command(killed, o.args...).Run()
		cancel()
		if err == nil {
			err = o.holds(h)
		} else {
			err = nil
		}
		if err == nil {
			err = h.check()
		}
		if err != nil {
			return fmt.Errorf("after banger %s, killed after %s: %w", strings.Join(o.args, " "), moment, err)
		}
	}
	return nil
}

// calls are the system calls that change what is on the disk, or are beside one.
var calls = []string{"renameat2", "renameat", "unlinkat", "mkdirat", "fsync", "openat", "write", "fcntl", "ftruncate", "close", "fchmod", "execve"}

// syscalls ends operations when they make a system call for the n-th time, before
// the call is made.
func syscalls(ctx context.Context, s *soak) error {
	if err := exec.Command("strace", "-f", "-o", "/dev/null", "-e", "inject=fsync:signal=KILL:when=1", "true").Run(); err != nil {
		return skipped{fmt.Sprintf("strace cannot be used here: %v", err)}
	}
	h, remove, err := s.newHome("")
	if err != nil {
		return err
	}
	defer remove()
	for ; ctx.Err() == nil; s.rounds++ {
		o, call, when := s.operation(), pick(s, calls), 1+s.rand.IntN(12)
		inject := fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, when)
		limit, cancel := context.WithTimeout(context.Background(), patience)
		traced := h.command(limit, o.args...)
		traced.Args = append([]string{"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e", inject, traced.Path}, o.args...)
		traced.Path, _ = exec.LookPath("strace")
		r, err := await(limit, traced, o.args)
		cancel()
		if err == nil && r.code == 0 {
			err = o.holds(h)
		}
		if err == nil {
			err = h.check()
		}
		if err != nil {
			return fmt.Errorf("after banger %s, killed at %s number %d: %w", strings.Join(o.args, " "), call, when, err)
		}
	}
	return nil
}
