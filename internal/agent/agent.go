// Package agent is the host's side of the guest's agent: it runs programs and
// shells in a guest and copies directories into it, each over a stream of the
// link between the agent and its supervisor.
//
// The package opens no port and runs no program on the host. It waits for no
// guest longer than its caller's context lasts.
package agent

import (
	"context"
	"net"
)

// Client speaks to a guest's agent.
type Client struct {
	dial func(context.Context) (net.Conn, error)
	user string
}

// New makes a client that does everything as user, over streams of the link that
// dial opens.
func New(dial func(context.Context) (net.Conn, error), user string) *Client {
	return &Client{dial, user}
}

// await waits for an exchange with the guest over conn for as long as ctx lasts.
// Then it closes conn, which ends the exchange as a rule, but waits for nothing
// that a guest could hold up.
func await(ctx context.Context, conn net.Conn, exchange func() (int, error)) (int, error) {
	type end struct {
		status int
		err    error
	}
	ended := make(chan end, 1)
	go func() {
		status, err := exchange()
		ended <- end{status, err}
	}()
	defer conn.Close()
	select {
	case e := <-ended:
		if ctx.Err() == nil {
			return e.status, e.err
		}
	case <-ctx.Done():
	}
	return 0, context.Cause(ctx)
}
