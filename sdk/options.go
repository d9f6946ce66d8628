package sdk

import (
	"cmp"
	"net/netip"
	"path/filepath"
	"time"

	"banger/internal/engine"
	"banger/internal/ports"
	"banger/internal/secret"
	"banger/internal/size"
	"banger/internal/vm"
)

// VMOptions say what VM to make. What is empty is as the user has configured it.
type VMOptions struct {
	Name   string // "" is made up
	Image  string // an image of banger image list, or where one is pulled from
	Kernel string // "" is the image's
	CPUs   int
	Memory int64  // bytes
	Disk   int64  // bytes for what the guest writes
	VMM    string // auto, firecracker or qemu

	// Ephemeral has Run's VM removed when it stops, and by [VM.Close] or the end of
	// this process.
	Ephemeral   bool
	Labels      map[string]string
	TTL         time.Duration // after which it is stopped; 0 is never
	IdleTimeout time.Duration // without any use, after which it is stopped; 0 is never

	Mounts  []Mount       // directories of the host that the guest has
	Volumes []VolumeMount // made where there are none of the name
	Ports   []Port        // of the host that lead to the guest while the VM runs

	HostLoopback bool     // the guest reaches the host's loopback as host.banger.internal
	Egress       string   // all, public or none: what the guest reaches where no rule says anything
	Allow, Deny  []string // rules, as the command's --allow and --deny have them
	Networks     []string // of banger network list, which VMs reach each other on; or none
	Secrets      []Secret // that the guest may use, and does not have
}

// Secret is a value that the guest may use in HTTPS requests to its hosts: it has a
// placeholder in its environment, which is replaced on the way. A VM that is
// started again finds the value in the environment of this process.
type Secret struct {
	Name  string   // of the guest's variable
	Value string   // "" is that of this process's variable of the name
	Hosts []string // NAME or *.NAME, with :PORT where it is not 443
}

// Mount is a directory of the host that the guest has, live.
type Mount struct {
	Source   string // on the host; of this process's working directory where relative
	Target   string // in the guest; "" is as on the host
	ReadOnly bool
}

// VolumeMount is where a VM has a volume.
type VolumeMount struct {
	Volume   string
	Path     string // in the guest
	ReadOnly bool
}

// Port is one of the host that leads to one of the guest.
type Port struct {
	HostIP   netip.Addr // the zero Addr is the loopback
	Host     uint16     // 0 is any that is free
	Guest    uint16
	Protocol string // tcp or udp; "" is tcp
}

// complete fills in what the user has configured.
func (c *Client) complete(o VMOptions) (engine.VMOptions, error) {
	with := c.engine.VMDefaults()
	with.Name, with.Image, with.Kernel, with.VMM = o.Name, o.Image, o.Kernel, o.VMM
	with.CPUs, with.Ephemeral = cmp.Or(o.CPUs, with.CPUs), o.Ephemeral
	with.Memory, with.Disk = cmp.Or(size.Size(o.Memory), with.Memory), cmp.Or(size.Size(o.Disk), with.Disk)
	with.Labels, with.TTL, with.IdleTimeout = o.Labels, vm.Duration(o.TTL), vm.Duration(o.IdleTimeout)
	with.HostLoopback = o.HostLoopback
	with.Policy.Egress = cmp.Or(o.Egress, with.Policy.Egress)
	if o.Allow != nil {
		with.Policy.Allow = o.Allow
	}
	if o.Deny != nil {
		with.Policy.Deny = o.Deny
	}
	if o.Networks != nil {
		with.Networks = o.Networks
	}
	for _, p := range o.Ports {
		s := ports.Spec{HostIP: p.HostIP, HostPort: p.Host, GuestPort: p.Guest, Protocol: cmp.Or(p.Protocol, ports.TCP)}
		if !s.HostIP.IsValid() {
			s.HostIP = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		}
		with.Ports = append(with.Ports, s)
	}
	for _, v := range o.Volumes {
		with.Volumes = append(with.Volumes, vm.Volume{Name: v.Volume, Path: v.Path, ReadOnly: v.ReadOnly})
	}
	for _, m := range o.Mounts {
		made, err := m.engine()
		if err != nil {
			return with, err
		}
		with.Mounts = append(with.Mounts, made)
	}
	for _, s := range o.Secrets {
		g, err := secret.Give(s.Name, s.Value, s.Hosts)
		if err != nil {
			return with, err
		}
		with.Secrets = append(with.Secrets, g)
	}
	return with, nil
}

func (m Mount) engine() (vm.Mount, error) {
	source, err := filepath.Abs(m.Source)
	return vm.Mount{Source: source, Target: cmp.Or(m.Target, source), ReadOnly: m.ReadOnly}, err
}
