// Package sdk runs development sandboxes in microVMs from Go programs.
//
// It does what the banger command does, on the same state: a VM that one makes,
// the other sees. There is no daemon. Each running VM has a supervisor, which is
// the banger binary run again; [Options].Banger, BANGER_BIN or PATH say where
// that is, and it has to be of the version of this package. The user's
// configuration and BANGER_* variables are read as the command reads them.
//
// All methods take a context, and end soon after it does, leaving nothing
// half-made. A Client may be used by several goroutines, and so may a VM.
package sdk

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"banger/internal/config"
	"banger/internal/engine"
	"banger/internal/process"
	"banger/internal/statedir"
)

// Options say how a Client works. The zero value is the command's way.
type Options struct {
	// Banger is the banger binary that supervises VMs: "" is BANGER_BIN's, or
	// else the one on PATH.
	Banger string
	// Progress, if not nil, is told in plain words what is being done. It is
	// called one call at a time for each operation.
	Progress func(text string)
}

// Client works on the VMs of this user.
type Client struct {
	engine   *engine.Engine
	progress func(string)
}

// Open returns a Client. It starts nothing.
func Open(o Options) (*Client, error) {
	banger, err := findBinary(o.Banger)
	if err != nil {
		return nil, err
	}
	dirs, err := statedir.Default()
	if err != nil {
		return nil, err
	}
	c, err := config.Load(dirs.Config, os.Getenv)
	if err != nil {
		return nil, err
	}
	with := engine.Options{Dirs: dirs, Config: c, Version: "sdk"}
	with.RunBy(banger)
	e := engine.New(with)
	e.Sweep()
	return &Client{e, o.Progress}, nil
}

// findBinary returns the absolute path of the banger binary.
func findBinary(given string) (string, error) {
	path, err := process.LookPath(cmp.Or(given, os.Getenv("BANGER_BIN"), "banger"))
	if err != nil {
		return "", fmt.Errorf("find the banger binary: %w", err)
	}
	return filepath.Abs(path)
}

// Run makes a VM and boots it. One that does not come up is removed again.
func (c *Client) Run(ctx context.Context, o VMOptions) (*VM, error) {
	with, err := c.complete(o)
	if err != nil {
		return nil, explain(err)
	}
	return c.hold(ctx, engine.HoldOptions{VM: with, Events: c.events()})
}

func (c *Client) hold(ctx context.Context, o engine.HoldOptions) (*VM, error) {
	held, err := c.engine.HoldVM(ctx, o)
	if err != nil {
		return nil, explain(err)
	}
	return &VM{client: c, name: held.VM.Name, held: held}, nil
}

// Create makes a VM that is stopped. It cannot be ephemeral.
func (c *Client) Create(ctx context.Context, o VMOptions) (*VM, error) {
	with, err := c.complete(o)
	if err != nil {
		return nil, explain(err)
	}
	v, err := c.engine.CreateVM(ctx, with, nil, c.events())
	if err != nil {
		return nil, explain(err)
	}
	return &VM{client: c, name: v.Name}, nil
}

// Get returns a VM that is there. The error is [ErrNotFound] where there is none.
func (c *Client) Get(_ context.Context, name string) (*VM, error) {
	v, err := c.engine.VM(name)
	if err != nil {
		return nil, explain(err)
	}
	return &VM{client: c, name: v.Name}, nil
}

// List returns all VMs as they are now, sorted by name.
func (c *Client) List(context.Context) ([]Info, error) {
	vms, err := c.engine.ListVMs()
	if err != nil {
		return nil, explain(err)
	}
	infos := make([]Info, 0, len(vms))
	for _, v := range vms {
		infos = append(infos, infoOf(v))
	}
	return infos, nil
}

// events passes on what people may want to read.
func (c *Client) events() engine.Events {
	if c.progress == nil {
		return nil
	}
	return func(e engine.Event) {
		switch e := e.(type) {
		case engine.Stage:
			c.progress(e.Text)
		case engine.Notice:
			c.progress(e.Text)
		case engine.Warning:
			c.progress("warning: " + e.Err.Error())
		}
	}
}
