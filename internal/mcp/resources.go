package mcp

import (
	"context"
	"fmt"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// The resources are what sandboxes have logged.
const (
	consoleURI = "banger://sandbox/{name}/console"
	networkURI = "banger://sandbox/{name}/network"
)

func addResources(s *sdk.Server, d *desk) {
	s.AddResourceTemplate(&sdk.ResourceTemplate{
		Name: "console", URITemplate: consoleURI, MIMEType: "text/plain", Description: "what a sandbox wrote to its console, its kernel's messages too",
	}, d.logResource("/console"))
	s.AddResourceTemplate(&sdk.ResourceTemplate{
		Name: "network", URITemplate: networkURI, MIMEType: "text/plain", Description: "which connections a sandbox was denied",
	}, d.logResource("/network"))
}

func (d *desk) logResource(suffix string) sdk.ResourceHandler {
	return func(ctx context.Context, r *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
		name := strings.TrimSuffix(strings.TrimPrefix(r.Params.URI, "banger://sandbox/"), suffix)
		b, err := d.named(name)
		if err != nil {
			return nil, sdk.ResourceNotFoundError(r.Params.URI)
		}
		var kept clip
		if err := b.log(ctx, suffix == "/console", &kept); err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		return &sdk.ReadResourceResult{Contents: []*sdk.ResourceContents{{URI: r.Params.URI, MIMEType: "text/plain", Text: clean(kept.take())}}}, nil
	}
}
