package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"banger/internal/agentapi"
	"banger/internal/hostname"
	"banger/internal/network"
	"banger/internal/ref"
	"banger/internal/usernet"
	"banger/internal/usernet/policy"
	"banger/internal/vm"
)

// Network is a network between VMs and who is on it.
type Network struct {
	network.Network
	Members []NetworkMember `json:"members"`
}

// NetworkMember is a VM on a network.
type NetworkMember struct {
	VM      string     `json:"vm"`
	Address netip.Addr `json:"address"`
	Phase   vm.Phase   `json:"phase"`
}

// CreateNetwork makes a network. If it names no subnet, one is chosen that the host has no
// address in.
func (e *Engine) CreateNetwork(ctx context.Context, n network.Network) (Network, error) {
	n, err := e.networks.Create(ctx, n, hostPrefixes())
	return Network{n, []NetworkMember{}}, err
}

// hostPrefixes are the host's addresses, each with its network's bits.
func hostPrefixes() (all []netip.Prefix) {
	addresses, _ := net.InterfaceAddrs()
	for _, a := range addresses {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, p)
		}
	}
	return all
}

// ListNetworks returns all networks, sorted by name.
func (e *Engine) ListNetworks() ([]Network, error) {
	networks, err := e.networks.List()
	if err != nil {
		return nil, err
	}
	vms, err := e.vms.List()
	var all []Network
	for _, n := range networks {
		all = append(all, Network{n, membersOf(n.Name, vms)})
	}
	return all, err
}

// Network returns the named network.
func (e *Engine) Network(name string) (Network, error) {
	n, err := e.networks.Get(name)
	if err != nil {
		return Network{}, err
	}
	vms, err := e.vms.List()
	return Network{n, membersOf(name, vms)}, err
}

func membersOf(network string, vms []vm.VM) []NetworkMember {
	members := []NetworkMember{}
	for _, v := range vms {
		if p, ok := v.PlaceIn(network); ok {
			members = append(members, NetworkMember{v.Name, p.Address.Addr(), v.State.Phase})
		}
	}
	return members
}

// RemoveNetwork removes a network. The error is an *InUseError where a VM is on it.
func (e *Engine) RemoveNetwork(ctx context.Context, name string) error {
	if _, err := e.networks.Get(name); errors.As(err, new(*network.NotFoundError)) || errors.As(err, new(*ref.NameError)) {
		return err // a damaged one can be removed
	}
	return e.networks.Remove(ctx, name, func() error {
		vms, err := e.vms.List()
		on := func(v vm.VM) bool {
			_, is := v.PlaceIn(name)
			return is
		}
		return inUse("network", name, vmsThat(on, vms), err)
	})
}

// setPlaces gives a VM its places in networks, which have to exist. network.None alone cuts
// the VM off from everything.
func (e *Engine) setPlaces(v *vm.VM, names []string) error {
	if slices.Contains(names, network.None) {
		if len(names) > 1 {
			return fmt.Errorf("network %s goes with no other", network.None)
		}
		v.NoNetwork = true
	} else {
		for _, name := range names {
			v.Networks = append(v.Networks, vm.Place{Network: name})
		}
	}
	why, err := e.isolated(*v)
	if err == nil && why != "" && v.HostLoopback {
		err = fmt.Errorf("the host's loopback is not reached from a vm with %s", why)
	}
	return err
}

// isolated returns why a VM's guest reaches nothing outside, whatever its policy says: it is
// on internal networks only. "" means that it is not isolated.
func (e *Engine) isolated(v vm.VM) (why string, err error) {
	if v.NoNetwork {
		return "network " + network.None, nil
	}
	for _, p := range v.Networks {
		n, err := e.networks.Get(p.Network)
		if err != nil {
			return "", err
		}
		if !n.Internal {
			return "", nil
		}
		why = "internal network " + n.Name
	}
	return why, nil
}

// giveAddresses gives a new VM its addresses. Until done is called, no other VM gets any.
func (e *Engine) giveAddresses(ctx context.Context, v *vm.VM) (done func(), err error) {
	if len(v.Networks) == 0 {
		return func() {}, nil
	}
	release, err := e.networks.Lock(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.takeAddresses(v); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// leave removes the sockets that a VM's supervisor left in networks when it died.
func (e *Engine) leave(v vm.VM) {
	for _, p := range v.Networks {
		e.networks.Leave(p.Network, v.Name)
	}
}

func (e *Engine) takeAddresses(v *vm.VM) error {
	vms, err := e.vms.List()
	if err != nil {
		return err
	}
	for i, p := range v.Networks {
		if p.Address.IsValid() {
			if _, err := e.networks.Get(p.Network); err != nil {
				return err
			}
			continue
		}
		var taken []netip.Addr
		for _, m := range membersOf(p.Network, vms) {
			taken = append(taken, m.Address)
		}
		if v.Networks[i].Address, err = e.networks.Take(p.Network, taken); err != nil {
			return err
		}
	}
	return nil
}

// Check returns what would become of a VM's connection to a port of a host, an address or a
// name. For a name outside it assumes a public address.
func (e *Engine) Check(v vm.VM, hostName string, port uint16) (policy.Verdict, error) {
	rules, err := policy.New(v.Policy)
	if err == nil {
		err = policy.CheckHost(hostName)
	}
	if err != nil {
		return policy.Verdict{}, err
	}
	address, err := netip.ParseAddr(hostName)
	address = address.Unmap()
	names := []string(nil)
	if err != nil {
		address, names = netip.MustParseAddr("203.0.113.1"), []string{hostName}
	}
	if verdict, ok := e.checkPeer(v, rules, hostName, address, port); ok {
		return verdict, nil
	}
	if verdict, ok := checkOwn(v, hostname.Canonical(hostName), address); ok {
		return verdict, nil
	}
	why, err := e.isolated(v)
	switch {
	case err != nil:
		return policy.Verdict{}, err
	case why != "":
		return policy.Verdict{Rule: why}, nil
	case policy.OfHost(address, ownAddresses(v)):
		return policy.Verdict{Rule: policy.RuleOfHost}, nil
	case address.Is6():
		return policy.Verdict{Rule: "there is no IPv6"}, nil
	}
	if names != nil {
		if verdict := rules.Name(hostName); !verdict.Allowed {
			return verdict, nil
		}
	}
	return rules.Connection(netip.AddrPortFrom(address, port), names), nil
}

// checkOwn is Check for what is below banger's own domain, and in the network that
// the VM has with its supervisor.
func checkOwn(v vm.VM, name string, address netip.Addr) (policy.Verdict, bool) {
	own := netip.PrefixFrom(netip.MustParseAddr(agentapi.GatewayIP), agentapi.PrefixLen)
	switch {
	case name == usernet.HostName || name == agentapi.HostIP:
		if v.HostLoopback {
			return policy.Verdict{Allowed: true, Rule: "--host-loopback"}, true
		}
		return policy.Verdict{Rule: policy.RuleOfHost}, true
	case name == agentapi.Zone || strings.HasSuffix(name, "."+agentapi.Zone):
		return policy.Verdict{Rule: "no vm of that name is on its networks"}, true
	}
	return policy.Verdict{Rule: policy.RuleOfHost}, own.Contains(address)
}

// checkPeer is Check for what is of one of the VM's networks.
func (e *Engine) checkPeer(v vm.VM, rules policy.Policy, hostName string, address netip.Addr, port uint16) (policy.Verdict, bool) {
	for _, p := range v.Networks {
		d := e.directory(v.Name, p.Network)
		m, ok := d.ByAddress(address)
		if !ok {
			m, ok = d.ByName(policy.PeerLabel(hostName))
		}
		if !ok && !p.Address.Contains(address) {
			continue
		}
		to, names := netip.AddrPortFrom(address, port), []string(nil)
		if ok {
			to, names = netip.AddrPortFrom(m.Address, port), policy.PeerNames(m.Name)
		}
		return rules.Peer(to, names, policy.Network{Name: p.Network, Subnet: p.Address.Masked()}), true
	}
	return policy.Verdict{}, false
}

// ownAddresses are the host's, where they are closed to a VM.
func ownAddresses(v vm.VM) (own []netip.Addr) {
	if v.HostLoopback {
		return nil
	}
	for _, address := range hostPrefixes() {
		own = append(own, address.Addr())
	}
	return own
}
