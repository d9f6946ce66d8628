package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"banger/internal/agentapi"
)

// maxSaid is more than a guest says of itself in JSON, in bytes.
const maxSaid = 4 << 20

// Ports returns what the guest's programs listen on, as the guest says.
func (c *Client) Ports(ctx context.Context) ([]agentapi.Port, error) {
	var ports few[agentapi.Port]
	err := c.hear(ctx, agentapi.StreamPorts, nil, &ports)
	return ports, err
}

// Top returns the guest's processes, as the guest says.
func (c *Client) Top(ctx context.Context) (agentapi.Top, error) {
	var top struct {
		agentapi.Top
		Processes few[agentapi.Process] `json:"processes"`
	}
	err := c.hear(ctx, agentapi.StreamTop, nil, &top)
	top.Top.Processes = top.Processes
	return top.Top, err
}

// List returns what the guest says is at a path, and in it where that is a directory.
// With follow it is what a link there leads to.
func (c *Client) List(ctx context.Context, path string, follow bool) (agentapi.Listing, error) {
	var l struct {
		agentapi.Listing
		Entries few[agentapi.FileInfo] `json:"entries"`
	}
	err := c.hear(ctx, agentapi.StreamList, agentapi.ListStream{User: c.user, Path: agentapi.Raw(path), Follow: follow}, &l)
	l.Listing.Entries = l.Entries
	return l.Listing, err
}

// few is a list of no more than the agent ever says: of "{}" a guest could say a million.
type few[T any] []T

const maxFew = 8192

// UnmarshalJSON implements json.Unmarshaler.
func (f *few[T]) UnmarshalJSON(text []byte) error {
	*f = nil
	if string(text) == "null" {
		return nil
	}
	list := json.NewDecoder(bytes.NewReader(text))
	if _, err := list.Token(); err != nil {
		return err
	}
	*f = few[T]{}
	for list.More() {
		if len(*f) == maxFew {
			return fmt.Errorf("it has more than %d", maxFew)
		}
		var one T
		if err := list.Decode(&one); err != nil {
			return err
		}
		*f = append(*f, one)
	}
	return nil
}

// hear fills value from what the guest says on a stream of a kind.
func (c *Client) hear(ctx context.Context, kind string, request, value any) error {
	text := &bounded{left: maxSaid}
	if err := c.serve(ctx, kind, request, Streams{Stdout: text}); err != nil {
		return err
	}
	if err := json.Unmarshal(text.Bytes(), value); err != nil {
		return fmt.Errorf("read what the guest says of its %s: %w", kind, err)
	}
	return nil
}

// bounded keeps what is written to it, up to a size.
type bounded struct {
	bytes.Buffer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, fmt.Errorf("the guest says more than %d bytes", maxSaid)
	}
	return b.Buffer.Write(p)
}
