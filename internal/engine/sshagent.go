package engine

import (
	"context"
	"fmt"
	"net"
	"slices"

	"banger/internal/agent"
	"banger/internal/agentapi"
)

// forwardAndRun runs a completed program, with the caller's SSH agent if that is asked for,
// for as long as it runs.
func (p Program) forwardAndRun(ctx context.Context, client *agent.Client) (int, error) {
	if p.SSHAgent == "" {
		return p.run(ctx, client)
	}
	dial := func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", p.SSHAgent)
	}
	conn, err := dial(ctx)
	if err != nil {
		return 0, fmt.Errorf("reach the SSH agent: %w", err)
	}
	conn.Close()
	listener, err := client.Listen(ctx, agentapi.ListenSSHAgent, "")
	if err != nil {
		return 0, fmt.Errorf("forward the SSH agent: %w", err)
	}
	defer listener.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go listener.Serve(ctx, dial)
	p.Env = append(slices.Clip(p.Env), "SSH_AUTH_SOCK="+listener.Address)
	return p.run(ctx, client)
}
