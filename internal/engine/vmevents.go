package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"banger/internal/journal"
	"banger/internal/statedir"
)

// EventOptions say which of the VMs' events to tell.
type EventOptions struct {
	Since time.Time // the zero time is now
	Until time.Time // when to end; the zero time is never
	VMs   []string  // all where there is none
	Kinds []string  // of events; all where there is none
}

// EventKindError says that there is no such kind of event.
type EventKindError struct{ Kind string }

func (e *EventKindError) Error() string { return fmt.Sprintf("no event is called %q", e.Kind) }

// Check returns an *EventKindError if there are no events of a kind.
func (o EventOptions) Check() error {
	for _, kind := range o.Kinds {
		if !slices.Contains(journal.Kinds, kind) {
			return &EventKindError{kind}
		}
	}
	return nil
}

func (o EventOptions) wants(e journal.Entry) bool {
	return (len(o.VMs) == 0 || slices.Contains(o.VMs, e.VM)) && (len(o.Kinds) == 0 || slices.Contains(o.Kinds, e.Event)) &&
		(o.Until.IsZero() || !e.Time.After(o.Until))
}

// FollowVMs calls hear with what happens to VMs, as it happens, until ctx ends or the time
// is over, which is no error. It also notices when a supervisor is killed.
func (e *Engine) FollowVMs(ctx context.Context, o EventOptions, hear func(journal.Entry) error) error {
	if err := o.Check(); err != nil {
		return err
	}
	if !o.Until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, o.Until)
		defer cancel()
	}
	for _, dir := range []string{e.Dirs.State, e.Dirs.VMTree().Dir} {
		if err := statedir.MakeDir(dir); err != nil {
			return err
		}
	}
	follower, err := e.vms.Journal.Follow(o.Since, func(entry journal.Entry) error {
		if !o.wants(entry) {
			return nil
		}
		return hear(entry)
	})
	if err != nil {
		return err
	}
	defer follower.Close()
	for err = follower.Read(); err == nil; err = follower.Next(ctx) {
		if err := e.watchVMs(follower); err != nil {
			return err
		}
		e.vms.Sweep() // which records who has died
		if err := follower.Read(); err != nil {
			return err
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// watchVMs adds to the follower what ends when one of the present VMs goes down, such as
// its supervisor's lock.
func (e *Engine) watchVMs(follower *journal.Follower) error {
	tree := e.Dirs.VMTree()
	if err := follower.Watch(tree.Dir); err != nil {
		return err
	}
	names, err := tree.Names()
	for _, name := range names {
		_ = follower.Watch(tree.Path(name)) // which may be gone
	}
	return err
}

// noteExec returns a function that records the runs of programs in a VM.
func (e *Engine) noteExec(name string) func(Program) (end func(int, error)) {
	return func(p Program) func(int, error) {
		entry := journal.Entry{VM: name, Event: journal.ExecStart, Exec: strings.ToLower(rand.Text()[:8]), User: p.User, Argv: p.Argv}
		switch {
		case len(p.Argv) > 0:
		case p.Line != "":
			entry.Argv = []string{p.Line}
		default:
			entry.Detail = "a shell"
		}
		e.vms.Note(entry)
		return func(status int, err error) {
			end := journal.Entry{VM: name, Event: journal.ExecEnd, Exec: entry.Exec, Status: &status}
			if err != nil {
				end.Status, end.Detail = nil, err.Error()
			}
			e.vms.Note(end)
		}
	}
}
