package network

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"banger/internal/agentapi"
)

// The subnets that are chosen where none is asked for: /24s of one that neither
// docker, podman, libvirt nor Kubernetes take by themselves.
var pool = netip.MustParsePrefix("10.210.0.0/16")

const poolBits = 24

// The sizes that a subnet may have, in bits of its prefix.
const (
	largestSubnet  = 16
	smallestSubnet = 29
)

// own is the network that each VM has with its supervisor.
var own = netip.MustParsePrefix(agentapi.GatewayIP + fmt.Sprintf("/%d", agentapi.PrefixLen)).Masked()

// subnetFor returns a subnet, checked where one is asked for, else chosen.
func subnetFor(asked netip.Prefix, others []Network, avoid []netip.Prefix) (netip.Prefix, error) {
	taken := func(p netip.Prefix) *Network {
		i := slices.IndexFunc(others, func(o Network) bool { return o.Subnet.Overlaps(p) })
		if i < 0 {
			return nil
		}
		return &others[i]
	}
	if asked.IsValid() {
		if err := checkSubnet(asked); err != nil {
			return asked, fmt.Errorf("subnet %s: %w", asked, err)
		}
		if other := taken(asked); other != nil {
			return asked, fmt.Errorf("subnet %s: network %q has %s", asked, other.Name, other.Subnet)
		}
		return asked, nil
	}
	for a := pool.Addr(); pool.Contains(a); {
		p := netip.PrefixFrom(a, poolBits)
		if taken(p) == nil && !slices.ContainsFunc(avoid, p.Overlaps) {
			return p, nil
		}
		a = last(p).Next()
	}
	return asked, errors.New("every subnet of " + pool.String() + " is taken: one has to be given")
}

func checkSubnet(p netip.Prefix) error {
	switch {
	case !p.Addr().Is4() || !p.Addr().IsPrivate():
		return errors.New("it has to be of private IPv4 addresses, such as 10.1.2.0/24")
	case p.Masked() != p:
		return fmt.Errorf("the network's own address is %s", p.Masked())
	case p.Bits() < largestSubnet || p.Bits() > smallestSubnet:
		return fmt.Errorf("it has to have from %d to %d bits", largestSubnet, smallestSubnet)
	case p.Overlaps(own):
		return fmt.Errorf("%s is what every vm has with its supervisor", own)
	}
	return nil
}

// last is a prefix's broadcast address.
func last(p netip.Prefix) netip.Addr {
	a := p.Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		a[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(a)
}

// free returns an address of the network that nobody has. It takes the one after
// the last that was given, where it can: an address is not soon another VM's,
// whose host key and connections would be in the way.
func (n Network) free(taken []netip.Addr) (netip.Addr, error) {
	first, end := n.Subnet.Addr().Next().Next(), last(n.Subnet) // the first is left to a gateway
	a := first
	if n.Subnet.Contains(n.Latest) && first.Less(n.Latest.Next()) {
		a = n.Latest.Next()
	}
	used := make(map[netip.Addr]bool, len(taken))
	for _, t := range taken {
		used[t] = true
	}
	for range 1 << (32 - n.Subnet.Bits()) {
		if !a.Less(end) {
			a = first
		}
		if !used[a] {
			return a, nil
		}
		a = a.Next()
	}
	return netip.Addr{}, fmt.Errorf("network %q has no address left: all of %s are taken", n.Name, n.Subnet)
}
