package agent

import (
	"bytes"
	"context"

	"banger/internal/agentapi"
)

// Rest returns when the guest's init has finished booting and the guest has
// freed what memory it can, and says what systemd, where that is the init, says of
// the guest: a word such as running or degraded.
func (c *Client) Rest(ctx context.Context) (state string, err error) {
	said := &bounded{left: maxSaid}
	err = c.serve(ctx, agentapi.StreamRest, nil, Streams{Stdout: said})
	return string(bytes.TrimSpace(said.Bytes())), err
}
