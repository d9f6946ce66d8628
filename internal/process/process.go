// Package process runs the host's programs and is the only user of os/exec on
// the host: what a child inherits, how it is reaped, what its failure reads
// like.
//
// A child started here gets only the descriptors that it was given, and dies
// with its parent unless it was started detached.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Cmd is a program to run.
type Cmd struct {
	Args   []string // the program and its arguments
	Env    []string // nil is the parent's
	Dir    string
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer  // nil keeps the last lines for the error
	Files  []*os.File // descriptors 3 and up

	// CleansUp is for a program that must not be killed in its work, and for
	// Run only: it and its children are told to end, and Run waits a second
	// for that. It outlives this process where it takes longer.
	CleansUp bool

	// Idle is for StartDetached, and a program that is to have of processors and
	// disks only what nobody else wants.
	Idle bool

	// OwnNetwork is for a program that is to have a user and a network
	// namespace of its own, with this user in it and the capabilities to set the
	// network up. See NamespaceError.
	OwnNetwork bool
}

// NamespaceError says that this user may not make namespaces.
type NamespaceError struct{ Err error }

func (e *NamespaceError) Error() string {
	return "make a user and a network namespace: " + e.Err.Error()
}

func (e *NamespaceError) Unwrap() error { return e.Err }

// NotFoundError says that the host lacks a program.
type NotFoundError struct{ Program string }

func (e *NotFoundError) Error() string {
	if e.HasPath() {
		return "there is no program " + e.Program
	}
	return e.Program + " is not installed"
}

// HasPath reports whether somebody said where the program is, and not just which.
func (e *NotFoundError) HasPath() bool { return strings.Contains(e.Program, "/") }

// Error is a program's failure.
type Error struct {
	Program string
	Status  string // as os.ProcessState says it
	Stderr  string // its last words, where they were kept
}

func (e *Error) Error() string {
	msg := e.Program + ": " + e.Status
	if e.Stderr != "" {
		msg = e.Program + ": " + e.Stderr
	}
	return msg
}

// LookPath finds a program on PATH or in the directories for administrators,
// which an ordinary user's PATH often lacks.
func LookPath(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	if !strings.Contains(program, "/") {
		for _, dir := range []string{"/usr/local/sbin/", "/usr/sbin/", "/sbin/"} {
			if path, err := exec.LookPath(dir + program); err == nil {
				return path, nil
			}
		}
	}
	return "", &NotFoundError{program}
}

// Run runs c to its end. Cancelling ctx terminates it, and kills it where it
// does not heed that within a second.
func Run(ctx context.Context, c Cmd) error {
	if c.CleansUp {
		return c.runToTheEnd(ctx)
	}
	cmd, tail, err := c.command(ctx)
	if err != nil {
		return err
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Second
	if err := onOneThread(cmd.Run); err != nil {
		return c.fault(ctx, err, tail)
	}
	return nil
}

// runToTheEnd is Run for a program that cleans up.
func (c Cmd) runToTheEnd(ctx context.Context) error {
	cmd, tail, err := c.command(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return c.fault(ctx, err, tail)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case <-ctx.Done():
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(time.Second):
		}
		return ctx.Err()
	}
	if err != nil {
		return c.fault(ctx, err, tail)
	}
	return nil
}

// Output is Run for what the program prints.
func Output(ctx context.Context, args ...string) ([]byte, error) {
	var out bytes.Buffer
	err := Run(ctx, Cmd{Args: args, Stdout: &out})
	return out.Bytes(), err
}

func (c Cmd) command(ctx context.Context) (*exec.Cmd, *lastLines, error) {
	path, err := LookPath(c.Args[0])
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(ctx, path, c.Args[1:]...)
	cmd.Env, cmd.Dir, cmd.ExtraFiles = c.Env, c.Dir, c.Files
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Stdout, c.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if c.OwnNetwork {
		ownNetwork(cmd.SysProcAttr)
	}
	tail := &lastLines{}
	if c.Stderr == nil {
		cmd.Stderr = tail
	}
	return cmd, tail, nil
}

func (c Cmd) fault(ctx context.Context, err error, tail *lastLines) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return &Error{Program: c.Args[0], Status: exit.ProcessState.String(), Stderr: tail.String()}
	}
	if c.OwnNetwork {
		return &NamespaceError{err}
	}
	return fmt.Errorf("run %s: %w", c.Args[0], err)
}
