package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// What an exec is to take in a guest by emulation, from the command to its end.
const (
	execGoal      = 40 * time.Millisecond
	firstExecGoal = 100 * time.Millisecond
)

const execVM = "bench-exec"

// exec compares vm exec with OpenSSH over vm ssh-config, in the same guest, which
// has finished booting. The first of each is the first that the guest hears of.
func (b bench) exec(ctx context.Context) (err error) {
	run := func(args ...string) *exec.Cmd { return exec.Command(b.banger, append([]string{"-q"}, args...)...) }
	if out, err := run("vm", "run", "--image", "debian", "--kernel", b.kernel, "--name", execVM, "--wait-init", "--", "true").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	defer func() { err = errors.Join(err, run("vm", "rm", "--force", execVM).Run()) }()
	config, err := sshConfig(run("vm", "ssh-config", execVM))
	if err != nil {
		return err
	}
	defer os.RemoveAll(filepath.Dir(config))
	ours := func() (time.Duration, error) { return timed(run("vm", "exec", execVM, "--", "true")) }
	theirs := func() (time.Duration, error) {
		return timed(exec.Command("ssh", "-F", config, execVM+".banger", "true"))
	}
	if err := errors.Join(run("vm", "stop", execVM).Run(), run("vm", "start", execVM).Run()); err != nil {
		return err
	}
	first, err := ours()
	if err != nil {
		return err
	}
	firstSSH, err := theirs()
	if err != nil {
		return err
	}
	if err := run("vm", "exec", "--wait-init", execVM, "--", "true").Run(); err != nil {
		return err
	}
	a, s, err := inTurn(4*b.pairs, ours, theirs)
	if err != nil {
		return err
	}
	fmt.Printf("vm exec -- true, in a guest that runs:    %v (goal %v)\n", a, execGoal)
	fmt.Printf("the same by OpenSSH over vm ssh-config:   %v\n", s)
	fmt.Printf("ratio %.2f; the first after the boot: %v (goal %v), by OpenSSH then %v\n", ratio(a, s),
		first.Round(time.Millisecond/10), firstExecGoal, firstSSH.Round(time.Millisecond/10))
	return b.faces(ctx, config)
}

// sshConfig writes what a command prints to a file of a directory of its own.
func sshConfig(prints *exec.Cmd) (string, error) {
	text, err := prints.Output()
	if err != nil {
		return "", fmt.Errorf("ask for OpenSSH's configuration: %w", err)
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "config")
	return path, os.WriteFile(path, text, 0o600)
}
