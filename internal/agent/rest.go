package agent

import (
	"bytes"
	"context"

	"banger/internal/agentapi"
)

// Rest waits until the guest's init has finished booting and the guest has freed what
// memory it can. It returns systemd's word for the guest's state, such as running or
// degraded, or "" of another init.
func (c *Client) Rest(ctx context.Context) (state string, err error) {
	said := &bounded{left: maxSaid}
	err = c.serve(ctx, agentapi.StreamRest, nil, Streams{Stdout: said})
	return string(bytes.TrimSpace(said.Bytes())), err
}
