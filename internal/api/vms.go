package api

import (
	"cmp"
	"context"
	"net/http"
	"net/netip"

	"banger/internal/engine"
	"banger/internal/ports"
	"banger/internal/size"
	"banger/internal/vm"
)

// named is a VM's name in the path.
type named struct {
	Name string `path:"name" doc:"the VM's name"`
}

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
	Cold           bool        `json:"cold,omitempty" jsonschema:"its first start is a boot, also where it could go on from a template"`
	Ports          []newPort   `json:"ports,omitempty"`
	PublishAll     bool        `json:"publish_all,omitempty" jsonschema:"a port of this machine for each TCP port that the guest listens on, while it does"`
	Mounts         []newMount  `json:"mounts,omitempty" jsonschema:"directories of this machine that the guest has, live"`
	Volumes        []newVolume `json:"volumes,omitempty" jsonschema:"made where there are none of the name"`
	Networks       networkList `json:"networks,omitempty" jsonschema:"by name; or none alone, for nothing outside"`
	Secrets        []newSecret `json:"secrets,omitempty" jsonschema:"that the guest may use in HTTPS, and does not have"`
	Policy         *newPolicy  `json:"policy,omitempty"`
	MaxConnections amount      `json:"max_connections,omitempty"`
	Labels         vm.Labels   `json:"labels,omitempty"`
	TTL            vm.Duration `json:"ttl,omitzero"`
	IdleTimeout    vm.Duration `json:"idle_timeout,omitzero"`
	Main           *vm.Main    `json:"main,omitempty" jsonschema:"what runs at each start"`
	Start          bool        `json:"start,omitempty" jsonschema:"boot it too; one that does not come up is removed"`
}

func (s *server) vmOperations() []operation {
	return []operation{
		op(http.MethodGet, "/vms", "listVMs", "All VMs", func(_ context.Context, in struct {
			Labels labels `query:"label" doc:"only those that have the label KEY or KEY=VALUE"`
		}) ([]vm.VM, error) {
			wanted, err := in.Labels.wanted()
			if err != nil {
				return nil, err
			}
			return s.listVMs(wanted)
		}),
		told(http.MethodPost, "/vms", "createVM", "Make a VM", s.createVM),
		stream(http.MethodPost, "/runs", "holdVM",
			"Make a VM and boot it, for as long as the answer is read: it is removed with the request. It is server-sent events: "+
				"ready has the VM, stage and the like say what is done before, end comes when it is down or its own program has ended, and problem says what failed", eventStream, s.holdVM),
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
		op(http.MethodPatch, "/vms/{name}/policy", "setPolicy", "Change what a VM's guest may reach, at once", s.setPolicy),
		op(http.MethodGet, "/vms/{name}/policy/check", "checkPolicy", "What would become of a connection of a VM's guest, and by which rule", s.checkPolicy),
		op(http.MethodPost, "/prune/vms", "pruneVMs", "Remove the VMs that are stopped, and their disks", func(ctx context.Context, in struct {
			Labels labels `query:"label" doc:"only those that have the label KEY or KEY=VALUE"`
		}) ([]string, error) {
			wanted, err := in.Labels.wanted()
			if err != nil {
				return nil, err
			}
			removed, err := s.engine.PruneVMs(ctx, wanted)
			return append([]string{}, removed...), err
		}),
	}
}

func (s *server) listVMs(wanted vm.Labels) ([]vm.VM, error) {
	all, err := s.engine.ListVMs()
	vms := []vm.VM{}
	for _, v := range all {
		if v.Labels.Have(wanted) {
			vms = append(vms, v)
		}
	}
	return vms, err
}

// holdVM keeps a VM until the client hangs up.
func (s *server) holdVM(w http.ResponseWriter, r *http.Request, in struct{ Body newVM }) error {
	release, err := s.held.take()
	if err != nil {
		return err
	}
	defer release()
	o, err := s.options(in.Body)
	if err != nil {
		return err
	}
	o.Ephemeral = true
	answer := &lazily{w: w, kind: eventStream}
	tell := teller{to: answer}
	held, err := s.engine.HoldVM(r.Context(), engine.HoldOptions{VM: o, Events: tell.hear})
	if err != nil {
		if answer.to == nil {
			return invalid(err)
		}
		tell.send("problem", s.problem(err).complete())
		return nil
	}
	defer func() { held.Release(context.WithoutCancel(r.Context())) }()
	v, err := s.engine.VM(held.VM.Name)
	if err == nil {
		tell.send("ready", v)
		var ended waited
		if ended.Status, err = s.engine.WaitVM(r.Context(), v.Name); err == nil {
			tell.send("end", ended)
		}
	}
	if err != nil && r.Context().Err() == nil {
		tell.send("problem", s.problem(err).complete())
	}
	return nil
}

// options are the defaults with what is given in their place.
func (s *server) options(n newVM) (engine.VMOptions, error) {
	o := s.engine.VMDefaults()
	o.Name, o.Image, o.Kernel, o.VMM, o.HostLoopback = string(n.Name), string(n.Image), string(n.Kernel), string(n.VMM), n.HostLoopback
	o.CPUs, o.Connections = cmp.Or(int(n.CPUs), o.CPUs), cmp.Or(int(n.MaxConnections), o.Connections)
	o.Memory, o.Disk = cmp.Or(mebibytes(n.MemoryMiB), o.Memory), cmp.Or(mebibytes(n.DiskMiB), o.Disk)
	o.Labels, o.TTL, o.IdleTimeout, o.Main = n.Labels, n.TTL, n.IdleTimeout, n.Main
	if n.Policy != nil {
		o.Policy = n.Policy.settings()
	}
	o.Ports, o.PublishAll, o.Cold = specs(n.Ports), n.PublishAll, n.Cold
	if n.Networks != nil {
		o.Networks = n.Networks
	}
	for _, m := range n.Mounts {
		o.Mounts = append(o.Mounts, m.engine())
	}
	for _, v := range n.Volumes {
		o.Volumes = append(o.Volumes, v.engine())
	}
	for _, given := range n.Secrets {
		one, err := given.engine()
		if err != nil {
			return o, &inputError{err}
		}
		o.Secrets = append(o.Secrets, one)
	}
	return o, nil
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
	Mounts      *[]newMount  `json:"mounts,omitempty" jsonschema:"in place of those before"`
	Volumes     *[]newVolume `json:"volumes,omitempty" jsonschema:"in place of those before"`
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
	if in.Body.Mounts != nil {
		wanted := []vm.Mount{}
		for _, m := range *in.Body.Mounts {
			wanted = append(wanted, m.engine())
		}
		c.Mounts = &wanted
	}
	if in.Body.Volumes != nil {
		wanted := []vm.Volume{}
		for _, v := range *in.Body.Volumes {
			wanted = append(wanted, v.engine())
		}
		c.Volumes = &wanted
	}
	if _, err := s.engine.SetVM(ctx, in.Name, engine.Change{Change: c}, nil); err != nil {
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
