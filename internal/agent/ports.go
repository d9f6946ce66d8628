package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"banger/internal/agentapi"
)

// maxPorts is more than any guest's list of ports, in bytes.
const maxPorts = 1 << 20

// Ports returns what the guest's programs listen on, as the guest says.
func (c *Client) Ports(ctx context.Context) (ports []agentapi.Port, err error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	text := &bounded{left: maxPorts}
	_, err = await(ctx, conn, func() (int, error) {
		call, err := begin(conn, agentapi.StreamPorts, nil)
		if err != nil {
			return 0, err
		}
		return call.transfer(Streams{Stdout: text, Stderr: io.Discard})
	})
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text.Bytes(), &ports); err != nil {
		return nil, fmt.Errorf("read the guest's ports: %w", err)
	}
	return ports, nil
}

// bounded keeps what is written to it, up to a size.
type bounded struct {
	bytes.Buffer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, fmt.Errorf("the guest says more than %d bytes", maxPorts)
	}
	return b.Buffer.Write(p)
}
