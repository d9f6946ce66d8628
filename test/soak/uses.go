package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// snapshotAndRestore makes a second VM of one that runs, or kills the snapshot or
// what is made of it half-way.
func (s *soak) snapshotAndRestore(h *home) error {
	if _, err := h.must(bootArgs("--name", "box", "--", "sh", "-c", "echo kept > /root/kept; sync")...); err != nil {
		return err
	}
	for _, args := range [][]string{{"vm", "snapshot", "create", "box", "shot"}, {"vm", "snapshot", "restore", "shot", "--name", "copy"}} {
		if s.rand.IntN(3) == 0 {
			if err := s.killed(h, args...); err != nil {
				return err
			}
		}
	}
	if _, err := h.must("vm", "exec", "box", "--", "true"); err != nil { // a killed snapshot lets it go on
		return err
	}
	for _, args := range [][]string{{"vm", "rm", "--force", "copy"}, {"vm", "snapshot", "rm", "shot"}} {
		h.run(args...) // of what the killed ones made
	}
	if _, err := h.must("vm", "snapshot", "create", "box", "shot"); err != nil {
		return err
	}
	if _, err := h.must("vm", "snapshot", "restore", "shot", "--name", "copy"); err != nil {
		return err
	}
	out, err := h.must("vm", "exec", "copy", "--", "cat", "/root/kept")
	if err == nil && out != "kept\n" {
		err = fmt.Errorf("the copy of a vm has %q", out)
	}
	if err != nil {
		return err
	}
	for _, args := range [][]string{{"vm", "rm", "--force", "copy"}, {"vm", "snapshot", "verify", "shot"}, {"vm", "snapshot", "rm", "shot"}} {
		if _, err := h.must(args...); err != nil {
			return err
		}
	}
	return h.stopAndRemove("box")
}

// killed runs a command and kills it at a random time.
func (s *soak) killed(h *home, args ...string) error {
	cmd := h.command(context.Background(), args...)
	if err := cmd.Start(); err != nil {
		return err
	}
	time.Sleep(time.Duration(s.rand.IntN(3000)) * time.Millisecond)
	cmd.Process.Kill()
	cmd.Wait()
	return nil
}

// useSSH goes into the VM that lives all the time by OpenSSH, and copies both ways.
func (s *soak) useSSH(h *home) error {
	text, err := h.must("vm", "ssh-config", steady)
	if err != nil {
		return err
	}
	config, back := filepath.Join(h.inputs, "ssh.conf"), filepath.Join(h.inputs, "back")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	defer os.Remove(back)
	host := steady + ".banger"
	for _, args := range [][]string{
		{"scp", "-q", "-F", config, "small.tar", host + ":/root/small.tar"},
		{"ssh", "-F", config, host, "sha256sum /root/small.tar"},
		{"scp", "-q", "-F", config, host + ":/root/small.tar", back},
		{"cmp", "small.tar", back},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir, cmd.Env = h.inputs, h.command(context.Background()).Env
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Run(); err != nil || stderr.Len() > 0 {
			return errors.Join(fmt.Errorf("%q says %q", args, stderr.String()), err)
		}
	}
	return nil
}

// buildImage builds an image in a VM, or kills that half-way: then neither the
// image nor the VM is there after the next command.
func (s *soak) buildImage(h *home) error {
	script := filepath.Join(h.inputs, "setup.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho built > /etc/built\n"), 0o700); err != nil {
		return err
	}
	args := []string{"image", "build", "--from-image", plain, "--name", "built", "--script", script, "--memory", "256M"}
	if s.rand.IntN(2) == 0 {
		cmd := h.command(context.Background(), args...)
		if err := cmd.Start(); err != nil {
			return err
		}
		time.Sleep(time.Duration(s.rand.IntN(8000)) * time.Millisecond)
		syscall.Kill(cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		if err := h.alone(); err != nil {
			return err
		}
		h.run("image", "rm", "built") // where it was done already
	}
	if _, err := h.must(args...); err != nil {
		return err
	}
	if _, err := h.must("image", "verify", "built"); err != nil {
		return err
	}
	if err := fsck(h.state("images", "built", "rootfs.ext4")); err != nil {
		return err
	}
	_, err := h.must("image", "rm", "built")
	return err
}

// alone returns once the steady VM is the only one, and is an error where another
// stays.
func (h *home) alone() error {
	for begin := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		names, err := h.list("vm")
		if err != nil || len(names) == 1 {
			return err
		}
		if time.Since(begin) > time.Minute {
			return fmt.Errorf("there are %q after a build that was killed", names)
		}
	}
}
