package api

import (
	"context"
	"net/http"
	"net/netip"

	"banger/internal/engine"
	"banger/internal/network"
)

func (s *server) networkOperations() []operation {
	return []operation{
		op(http.MethodGet, "/networks", "listNetworks", "All networks between VMs", func(context.Context, struct{}) ([]engine.Network, error) {
			all, err := s.engine.ListNetworks()
			return append([]engine.Network{}, all...), err
		}),
		op(http.MethodPost, "/networks", "createNetwork", "Make a network: VMs on it reach each other by name", func(ctx context.Context, in struct {
			Body struct {
				Name     name         `json:"name"`
				Subnet   netip.Prefix `json:"subnet,omitzero" jsonschema:"chosen where it is not given"`
				Internal bool         `json:"internal,omitempty" jsonschema:"VMs that are on no other network reach nothing outside"`
			}
		}) (engine.Network, error) {
			b := in.Body
			n, err := s.engine.CreateNetwork(ctx, network.Network{Name: string(b.Name), Subnet: b.Subnet, Internal: b.Internal})
			return n, refused(err)
		}),
		op(http.MethodGet, "/networks/{name}", "getNetwork", "A network", func(_ context.Context, in named) (engine.Network, error) {
			return s.engine.Network(in.Name)
		}),
		op(http.MethodDelete, "/networks/{name}", "removeNetwork", "Remove a network that no VM is on", func(ctx context.Context, in named) (none, error) {
			return none{}, s.engine.RemoveNetwork(ctx, in.Name)
		}),
	}
}
