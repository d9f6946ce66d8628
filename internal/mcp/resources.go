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

// logs are what is kept of each.
var logs = []struct{ name, uri, description string }{
	{"console", consoleURI, "what a sandbox wrote to its console, its kernel's messages too"},
	{"network", networkURI, "which connections a sandbox was denied"},
}

// addResources adds the logs of all sandboxes, and lists those of the ones that there
// are: clients hear when these change.
func addResources(s *sdk.Server, d *desk) {
	for _, l := range logs {
		s.AddResourceTemplate(&sdk.ResourceTemplate{Name: l.name, URITemplate: l.uri, MIMEType: "text/plain", Description: l.description}, d.logResource("/"+l.name))
	}
	d.comes = func(name string) {
		for _, l := range logs {
			s.AddResource(&sdk.Resource{Name: name + " " + l.name, URI: uriOf(l.uri, name), MIMEType: "text/plain", Description: l.description}, d.logResource("/"+l.name))
		}
	}
	d.goes = func(name string) {
		for _, l := range logs {
			s.RemoveResources(uriOf(l.uri, name))
		}
	}
	for _, name := range d.granted {
		d.comes(name)
	}
}

func uriOf(template, name string) string { return strings.ReplaceAll(template, "{name}", name) }

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
