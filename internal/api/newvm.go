package api

import (
	"strings"

	"banger/internal/secret"
	"banger/internal/vm"
)

// newMount is a directory of this machine that a guest is to have.
type newMount struct {
	Source   hostPath   `json:"source" jsonschema:"of this machine, absolute"`
	Target   mountPoint `json:"target,omitempty" jsonschema:"in the guest; as it is here where it is not given"`
	ReadOnly bool       `json:"read_only,omitempty"`
}

func (m newMount) engine() vm.Mount {
	to := string(m.Target)
	if to == "" {
		to = string(m.Source)
	}
	return vm.Mount{Source: string(m.Source), Target: to, ReadOnly: m.ReadOnly}
}

// newVolume is a volume that a guest is to have.
type newVolume struct {
	Name     name       `json:"name"`
	Path     mountPoint `json:"path" jsonschema:"in the guest"`
	ReadOnly bool       `json:"read_only,omitempty"`
}

func (v newVolume) engine() vm.Volume {
	return vm.Volume{Name: string(v.Name), Path: string(v.Path), ReadOnly: v.ReadOnly}
}

// newSecret is a secret that a guest may use. Its value is never told again.
type newSecret struct {
	Name  variable    `json:"name" jsonschema:"of the guest's variable, which has a placeholder"`
	Value secretValue `json:"value,omitempty" jsonschema:"of a VM that starts at once; the variable of the server's own environment where there is neither value nor file"`
	File  hostPath    `json:"file,omitempty" jsonschema:"of this machine, which has the value"`
	Hosts secretHosts `json:"hosts" jsonschema:"NAME or *.NAME, with :PORT where it is not 443"`
}

func (n newSecret) engine() (secret.Given, error) {
	if n.File != "" && n.Value == "" {
		return secret.Parse(string(n.Name) + "=@" + string(n.File) + "@" + strings.Join(n.Hosts, ","))
	}
	return secret.Give(string(n.Name), string(n.Value), n.Hosts)
}
