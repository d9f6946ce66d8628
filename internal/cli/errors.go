package cli

import (
	"context"
	"errors"
	"fmt"

	"banger/internal/agent"
	"banger/internal/vm"
)

// The exit codes that are banger's own, docker's where docker has one. Any
// other is the guest command's.
const (
	exitFailure     = 125
	exitInterrupted = 130
)

// exitError is the exit status of a command in a guest: no failure of banger's.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// code is the exit code to end with: a guest may claim more than one can be, of
// which the kernel would keep the last eight bits, and they may be 0.
func (e exitError) code() int {
	if e < 0 || e > 255 {
		return 255
	}
	return int(e)
}

// hinted adds to an error what to do next.
type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }

func withHint(err error, format string, args ...any) error {
	return &hinted{err, fmt.Sprintf(format, args...)}
}

// report prints err, if it is one, and returns the exit code that it means.
func (a *app) report(ctx context.Context, err error) int {
	var status exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return status.code()
	case errors.Is(err, agent.ErrInterrupted), ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(a.Err, "banger: interrupted")
		return exitInterrupted
	}
	for _, line := range consoleOf(err) {
		fmt.Fprintln(a.Err, "  |", printable(line))
	}
	message := err.Error()
	if h := a.hint(err); h != "" {
		message += " (" + h + ")"
	}
	fmt.Fprintln(a.Err, "banger:", oneLine(message))
	return exitFailure
}

// consoleOf returns the guest's last words, where it was the guest that failed.
func consoleOf(err error) []string {
	var start *vm.StartError
	if errors.As(err, &start) {
		return start.Console
	}
	return nil
}
