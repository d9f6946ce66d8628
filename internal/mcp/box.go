package mcp

import (
	"context"
	"io"
)

// host is where sandboxes come from: banger's engine, or a test's.
type host interface {
	// open makes a sandbox and boots it. say hears what is done meanwhile.
	open(ctx context.Context, say func(string)) (box, error)
	// goOn makes a sandbox that goes on from a snapshot.
	goOn(ctx context.Context, snapshot string, say func(string)) (box, error)
	// forget removes a snapshot.
	forget(snapshot string) error
	// find returns a VM that is there.
	find(name string) (box, error)
}

// box is a sandbox.
type box interface {
	name() string
	// phase says how it is; the error is errGone where it is no more.
	phase() (string, error)
	run(ctx context.Context, p program) (status int, err error)
	copyIn(ctx context.Context, from, to string) error
	// forward opens a port of the host's, tells opened its address, and holds it
	// open until ctx ends.
	forward(ctx context.Context, port uint16, opened func(address string)) error
	log(ctx context.Context, console bool, to io.Writer) error
	// snapshot keeps it as it is, and returns under which name.
	snapshot(ctx context.Context) (name string, err error)
	start(ctx context.Context) error
	stop(ctx context.Context) error
	remove(ctx context.Context) error
	// close lets go of it: one that is not kept is removed.
	close() error
}

// program is what to run in a sandbox.
type program struct {
	argv           []string
	dir            string
	env            []string
	stdin          io.Reader
	stdout, stderr io.Writer
}
