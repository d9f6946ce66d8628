package api

import (
	"cmp"
	"context"
	"net/http"
	"net/netip"

	"banger/internal/engine"
	"banger/internal/ports"
	"banger/internal/size"
	"banger/internal/usernet/policy"
	"banger/internal/vm"
)

// named is a VM's name in the path.
type named struct {
	Name string `path:"name" doc:"the VM's name"`
}

// keyLabel is a label that a VM has which was made for an idempotency key.
const keyLabel = "banger.idempotency-key"

// newVM is a VM to be made. What is left out is as the configuration says.
type newVM struct {
	Name           name        `json:"name,omitempty" jsonschema:"made up where it is not given"`
	Image          name        `json:"image,omitempty"`
	Kernel         name        `json:"kernel,omitempty"`
	CPUs           amount      `json:"cpus,omitempty"`
	MemoryMiB      amount      `json:"memory_mib,omitempty"`
	DiskMiB        amount      `json:"disk_mib,omitempty"`
	VMM            vmmName     `json:"vmm,omitempty"`
	HostLoopback   bool        `json:"host_loopback,omitempty"`
	Ports          []newPort   `json:"ports,omitempty"`
	Policy         *newPolicy  `json:"policy,omitempty"`
	MaxConnections amount      `json:"max_connections,omitempty"`
	Labels         vm.Labels   `json:"labels,omitempty"`
	TTL            vm.Duration `json:"ttl,omitzero"`
	IdleTimeout    vm.Duration `json:"idle_timeout,omitzero"`
	Main           *vm.Main    `json:"main,omitempty" jsonschema:"what runs at each start"`
	Start          bool        `json:"start,omitempty" jsonschema:"boot it too; one that does not come up is removed"`
}

type createVM struct {
	Key  string `header:"Idempotency-Key" doc:"asked again with the same key, the VM that was made is the answer"`
	Body newVM
}

func (s *server) vmOperations() []operation {
	return []operation{
		op(http.MethodGet, "/version", "version", "banger's version", func(context.Context, struct{}) (map[string]string, error) {
			return map[string]string{"version": s.engine.Version}, nil
		}),
		op(http.MethodGet, "/vms", "listVMs", "All VMs", func(_ context.Context, in struct {
			Labels labels `query:"label" doc:"only those that have the label KEY or KEY=VALUE"`
		}) ([]vm.VM, error) {
			return s.listVMs(in.Labels)
		}),
		op(http.MethodPost, "/vms", "createVM", "Make a VM", s.createVM),
		op(http.MethodGet, "/vms/{name}", "getVM", "A VM", func(_ context.Context, in named) (vm.VM, error) {
			return s.engine.VM(in.Name)
		}),
		op(http.MethodDelete, "/vms/{name}", "removeVM", "Remove a VM and its disk", func(ctx context.Context, in struct {
			Name  string `path:"name"`
			Force bool   `query:"force" doc:"one that runs too"`
		}) (none, error) {
			return none{}, s.engine.RemoveVM(ctx, in.Name, in.Force)
		}),
		op(http.MethodPatch, "/vms/{name}", "setVM", "Change a VM's settings", s.setVM),
		op(http.MethodPatch, "/vms/{name}/policy", "setPolicy", "Change what a VM's guest may reach, at once", func(ctx context.Context, in struct {
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
		}),
	}
}

func (s *server) listVMs(labels []string) ([]vm.VM, error) {
	var wanted vm.Labels
	for _, label := range labels {
		if err := wanted.Set(label); err != nil {
			return nil, &inputError{err}
		}
	}
	all, err := s.engine.ListVMs()
	vms := []vm.VM{}
	for _, v := range all {
		if v.Labels.Have(wanted) {
			vms = append(vms, v)
		}
	}
	return vms, err
}

func (s *server) createVM(ctx context.Context, in createVM) (vm.VM, error) {
	release, ok := s.creating.lock(in.Key, ctx.Done())
	if !ok {
		return vm.VM{}, ctx.Err()
	}
	defer release()
	if in.Key != "" {
		if err := (&vm.Labels{}).Set(keyLabel + "=" + in.Key); err != nil {
			return vm.VM{}, &inputError{err}
		}
		if made, err := s.listVMs([]string{keyLabel + "=" + in.Key}); err != nil || len(made) > 0 {
			return first(made), err
		}
	}
	o := s.options(in.Body)
	if in.Key != "" {
		labels := vm.Labels{keyLabel: in.Key}
		for k, v := range o.Labels {
			labels[k] = v
		}
		o.Labels = labels
	}
	v, err := s.engine.CreateVM(ctx, o, nil, nil)
	if err != nil || !in.Body.Start {
		return v, invalid(err)
	}
	if err := s.engine.StartVM(ctx, v.Name, nil); err != nil {
		s.engine.RemoveVM(context.WithoutCancel(ctx), v.Name, true)
		return v, err
	}
	return s.engine.VM(v.Name)
}

func first(vms []vm.VM) vm.VM {
	if len(vms) == 0 {
		return vm.VM{}
	}
	return vms[0]
}

// options are the defaults with what is given in their place.
func (s *server) options(n newVM) engine.VMOptions {
	o := s.engine.VMDefaults()
	o.Name, o.Image, o.Kernel, o.VMM, o.HostLoopback = string(n.Name), string(n.Image), string(n.Kernel), string(n.VMM), n.HostLoopback
	o.CPUs, o.Connections = cmp.Or(int(n.CPUs), o.CPUs), cmp.Or(int(n.MaxConnections), o.Connections)
	o.Memory, o.Disk = cmp.Or(mebibytes(n.MemoryMiB), o.Memory), cmp.Or(mebibytes(n.DiskMiB), o.Disk)
	o.Labels, o.TTL, o.IdleTimeout, o.Main = n.Labels, n.TTL, n.IdleTimeout, n.Main
	if n.Policy != nil {
		o.Policy = n.Policy.settings()
	}
	o.Ports = specs(n.Ports)
	return o
}

func mebibytes(n amount) size.Size { return size.Size(n) << 20 }

// specs completes what is left out.
func specs(wanted []newPort) (all []ports.Spec) {
	for _, p := range wanted {
		s := ports.Spec{HostIP: p.HostIP, HostPort: uint16(p.HostPort), GuestPort: uint16(p.GuestPort), Protocol: cmp.Or(string(p.Protocol), ports.TCP)}
		if !s.HostIP.IsValid() {
			s.HostIP = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		}
		all = append(all, s)
	}
	return all
}

// changedVM are a VM's new settings. What is left out stays.
type changedVM struct {
	CPUs        *amount      `json:"cpus,omitempty"`
	MemoryMiB   *amount      `json:"memory_mib,omitempty"`
	DiskMiB     *amount      `json:"disk_mib,omitempty" jsonschema:"it can only grow, while the VM is stopped"`
	Ports       *[]newPort   `json:"ports,omitempty" jsonschema:"in place of those before"`
	Labels      vm.Labels    `json:"labels,omitempty" jsonschema:"added; one without a value is taken away"`
	TTL         *vm.Duration `json:"ttl,omitempty"`
	IdleTimeout *vm.Duration `json:"idle_timeout,omitempty"`
}

func (s *server) setVM(ctx context.Context, in struct {
	Name string `path:"name"`
	Body changedVM
}) (vm.VM, error) {
	c := vm.Change{CPUs: (*int)(in.Body.CPUs), MemoryMiB: (*int)(in.Body.MemoryMiB), Labels: in.Body.Labels, TTL: in.Body.TTL, IdleTimeout: in.Body.IdleTimeout}
	if in.Body.DiskMiB != nil {
		bytes := int64(mebibytes(*in.Body.DiskMiB))
		c.DiskBytes = &bytes
	}
	if in.Body.Ports != nil {
		wanted := specs(*in.Body.Ports)
		c.Ports = &wanted
	}
	if _, err := s.engine.SetVM(ctx, in.Name, c, nil); err != nil {
		return vm.VM{}, invalid(err)
	}
	return s.engine.VM(in.Name)
}

// invalid is an error of an operation that checks what it is given: what is not one
// of a kind that has a status is the request's fault.
func invalid(err error) error {
	if err == nil || status(err) != http.StatusInternalServerError {
		return err
	}
	return &inputError{err}
}
