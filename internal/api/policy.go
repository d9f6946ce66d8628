package api

import (
	"cmp"
	"context"

	"banger/internal/usernet/policy"
	"banger/internal/vm"
)

func (s *server) setPolicy(ctx context.Context, in struct {
	Name string `path:"name"`
	Body struct {
		newPolicy
		Remove  []string `json:"remove,omitempty" jsonschema:"rules, as they were written"`
		Replace bool     `json:"replace,omitempty" jsonschema:"forget what was there"`
	}
}) (vm.VM, error) {
	b := in.Body
	change := policy.Change{Replace: b.Replace, Allow: b.Allow, Deny: b.Deny, Remove: b.Remove}
	if b.Egress != "" {
		change.Egress = (*string)(&b.Egress)
	}
	if err := s.engine.SetPolicy(ctx, in.Name, change); err != nil {
		return vm.VM{}, invalid(err)
	}
	return s.engine.VM(in.Name)
}

// verdict is what becomes of a connection.
type verdict struct {
	Allowed bool   `json:"allowed"`
	Rule    string `json:"rule"`
}

func (s *server) checkPolicy(_ context.Context, in struct {
	Name string     `path:"name"`
	Host string     `query:"host" doc:"a name or an address"`
	Port portNumber `query:"port" doc:"443 where it is not given"`
}) (verdict, error) {
	v, err := s.engine.VM(in.Name)
	if err != nil {
		return verdict{}, err
	}
	found, err := s.engine.Check(v, in.Host, cmp.Or(uint16(in.Port), 443))
	return verdict{found.Allowed, found.Rule}, err
}
