// Package mcp lets an agent use sandboxes over the Model Context Protocol: a face
// of banger's for programs, as the command line is one for people.
//
// What an agent gets is decided by the server's flags alone. It reaches the
// sandboxes that its server made, and those that the flags name; nothing that
// it asks for gives one of them another image, more of the host or more of the
// network. What a guest says is bounded, and is text to the protocol.
package mcp

import (
	"context"
	"fmt"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// settings are what the server's flags say.
type settings struct {
	version string
	hostDir string   // copied into each new sandbox, as work there, or ""
	work    string   // where commands run in sandboxes that it makes; "" is root's home
	mounted bool     // they have directories of the host, with which no guest can be saved
	granted []string // VMs that the agent may use beside its own
	max     int      // sandboxes at a time
	keepAll bool     // sandboxes and snapshots stay when the session ends
}

const instructions = `Sandboxes are Linux virtual machines of their own: run, install and break anything in them as root.
The first call that needs one makes it, which takes some seconds; later calls use the same one, with its files and what
runs in it. Everything in a sandbox is lost when this session ends, unless the user has it kept: read or download what matters.
Before a risky step, snapshot_create keeps a sandbox as it is, and snapshot_restore goes back; sandbox_fork makes a copy to try things in.
Long output is cut in the middle. Use run with background for servers and for what takes minutes, then output to look at it.`

// newServer returns a server of the desk's sandboxes.
func newServer(d *desk) *sdk.Server {
	s := sdk.NewServer(&sdk.Implementation{Name: "banger", Title: "banger sandboxes", Version: d.version},
		&sdk.ServerOptions{Instructions: instructions})
	addSandboxTools(s, d)
	addSnapshotTools(s, d)
	addRunTools(s, d)
	addFileTools(s, d)
	addResources(s, d)
	return s
}

// add adds a tool that answers with a text. Its errors are for the agent to read.
func add[In any](s *sdk.Server, name, description string, hints sdk.ToolAnnotations, do func(context.Context, In) (string, error)) {
	addWith(s, name, description, hints, func(ctx context.Context, _ *sdk.CallToolRequest, in In) (string, error) { return do(ctx, in) })
}

func addWith[In any](s *sdk.Server, name, description string, hints sdk.ToolAnnotations, do func(context.Context, *sdk.CallToolRequest, In) (string, error)) {
	tool := sdk.Tool{Name: name, Description: description, Annotations: &hints}
	sdk.AddTool(s, &tool, func(ctx context.Context, r *sdk.CallToolRequest, in In) (*sdk.CallToolResult, any, error) {
		text, err := do(ctx, r, in)
		if err != nil {
			return nil, nil, fmt.Errorf("%s", clean(err.Error()))
		}
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: clean(text)}}}, nil, nil
	})
}

// The hints that tools give of themselves. What they do stays in a sandbox.
var (
	readsOnly = sdk.ToolAnnotations{ReadOnlyHint: true, OpenWorldHint: new(bool)}
	changes   = sdk.ToolAnnotations{}
)
