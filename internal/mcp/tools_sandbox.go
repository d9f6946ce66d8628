package mcp

import (
	"context"
	"fmt"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// nothing is the arguments of a tool that takes none.
type nothing struct{}

// named is the arguments of a tool that takes a sandbox.
type named struct {
	Sandbox string `json:"sandbox" jsonschema:"the sandbox's name"`
}

type forwardArgs struct {
	Port    int    `json:"port" jsonschema:"the port in the sandbox, 1 to 65535"`
	Sandbox string `json:"sandbox,omitempty" jsonschema:"the sandbox's name; the current one where left out"`
}

func addSandboxTools(s *sdk.Server, d *desk) {
	addWith(s, "sandbox_create", "Make another sandbox, boot it and have it be the current one. Not needed for the first: that is made when it is needed.",
		changes, func(ctx context.Context, r *sdk.CallToolRequest, _ nothing) (string, error) {
			b, err := d.open(ctx, true, teller(ctx, r))
			if err != nil {
				return "", err
			}
			return "sandbox " + b.name() + " is running", nil
		})
	add(s, "sandbox_list", "List the sandboxes of this session.", readsOnly, func(_ context.Context, _ nothing) (string, error) { return d.list() })
	add(s, "sandbox_use", "Have a sandbox be the current one, which calls without a sandbox's name use.", changes,
		func(_ context.Context, in named) (string, error) {
			return "sandbox " + in.Sandbox + " is the current one", d.use(in.Sandbox)
		})
	add(s, "sandbox_stop", "Shut a sandbox down. One that the user has not had kept is removed with it.", changes,
		func(ctx context.Context, in named) (string, error) {
			b, err := d.alive(in.Sandbox)
			if err != nil {
				return "", err
			}
			return "sandbox " + in.Sandbox + " is down", b.stop(ctx)
		})
	add(s, "sandbox_start", "Boot a sandbox that was shut down.", changes, func(ctx context.Context, in named) (string, error) {
		b, err := d.alive(in.Sandbox)
		if err != nil {
			return "", err
		}
		return "sandbox " + in.Sandbox + " is running", b.start(ctx)
	})
	add(s, "sandbox_remove", "Remove a sandbox of this session and all that is in it.", changes,
		func(ctx context.Context, in named) (string, error) {
			return "sandbox " + in.Sandbox + " is removed", d.remove(ctx, in.Sandbox)
		})
	addWith(s, "forward_port", "Open a port of the user's machine, on its loopback, that leads to a TCP port of a sandbox. It stays open until the session ends.",
		changes, func(ctx context.Context, r *sdk.CallToolRequest, in forwardArgs) (string, error) {
			if in.Port < 1 || in.Port > 65535 {
				return "", fmt.Errorf("%d is no port from 1 to 65535", in.Port)
			}
			b, err := d.box(ctx, in.Sandbox, teller(ctx, r))
			if err != nil {
				return "", err
			}
			address, err := d.forward.to(ctx, b, uint16(in.Port))
			return fmt.Sprintf("%s leads to port %d of sandbox %s", address, in.Port, b.name()), err
		})
}
