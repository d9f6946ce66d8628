package mcp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// How long commands may take, in seconds.
const (
	defaultTimeout = 120
	maxTimeout     = 3600
	maxWait        = 600 // for the output of one in the background
)

type runArgs struct {
	Command    string   `json:"command" jsonschema:"a line for sh"`
	Dir        string   `json:"dir,omitempty" jsonschema:"directory to run in; relative to the project, or else to root's home"`
	Env        []string `json:"env,omitempty" jsonschema:"variables to set, KEY=VALUE"`
	Stdin      string   `json:"stdin,omitempty" jsonschema:"its standard input; empty where left out"`
	Timeout    int      `json:"timeout,omitempty" jsonschema:"seconds after which it is ended: 120 where left out, at most 3600; in the background none where left out"`
	Background bool     `json:"background,omitempty" jsonschema:"return at once with a number, for output and kill"`
	Sandbox    string   `json:"sandbox,omitempty" jsonschema:"the sandbox's name; the current one where left out"`
}

type outputArgs struct {
	ID   int `json:"id" jsonschema:"the command's number"`
	Wait int `json:"wait,omitempty" jsonschema:"seconds to wait for its end at the most, up to 600; 0 is not at all"`
}

type killArgs struct {
	ID int `json:"id" jsonschema:"the command's number"`
}

func addRunTools(s *sdk.Server, d *desk) {
	addWith(s, "run", "Run a command in a sandbox, as root. Both its outputs come back, cut in the middle where they are long, with its exit status.",
		changes, d.run)
	add(s, "output", "Read what a command in the background has written since the last time, and whether it still runs.", readsOnly,
		func(ctx context.Context, in outputArgs) (string, error) {
			one, err := d.jobs.find(in.ID)
			if err != nil {
				return "", err
			}
			one.await(ctx, time.Duration(min(max(in.Wait, 0), maxWait))*time.Second)
			return one.report(), nil
		})
	add(s, "kill", "End a command in the background.", changes, func(ctx context.Context, in killArgs) (string, error) {
		one, err := d.jobs.find(in.ID)
		if err != nil {
			return "", err
		}
		one.cancel()
		one.await(ctx, 10*time.Second)
		return one.report(), nil
	})
}

func (d *desk) run(ctx context.Context, r *sdk.CallToolRequest, in runArgs) (string, error) {
	if in.Timeout < 0 || in.Timeout > maxTimeout {
		return "", fmt.Errorf("the timeout is 1 to %d seconds", maxTimeout)
	}
	tell := teller(ctx, r)
	b, err := d.box(ctx, in.Sandbox, tell)
	if err != nil {
		return "", err
	}
	p := program{argv: []string{"sh", "-c", in.Command}, dir: d.dirIn(b, in.Dir), env: in.Env, stdin: text(in.Stdin)}
	if in.Background {
		return d.runInBackground(b, p, in.Timeout)
	}
	timeout := time.Duration(cmp.Or(in.Timeout, defaultTimeout)) * time.Second
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var output clip
	p.stdout = io.MultiWriter(&output, &lastLines{tell: tell})
	p.stderr = p.stdout
	status, err := b.run(limited, p)
	if errors.Is(limited.Err(), context.DeadlineExceeded) && err != nil {
		err = fmt.Errorf("it took longer than %s and was ended", timeout)
	}
	said := output.take() + "\n" + ending(status, err)
	if err != nil {
		return "", errors.New(said)
	}
	return said, nil
}

func (d *desk) runInBackground(b box, p program, timeout int) (string, error) {
	one, err := d.jobs.begin(time.Duration(timeout)*time.Second, func(ctx context.Context, output *clip) (int, error) {
		p.stdout, p.stderr = output, output
		return b.run(ctx, p)
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("command %d runs in the background", one.id), nil
}
