// Package policy decides what a guest may reach: rules in, a verdict out, with
// the rule that gave it. It knows no sockets, no clock and no names but those
// that it is told of.
package policy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"banger/internal/hostname"
)

// What a guest reaches where no rule says anything.
const (
	All    = "all"
	Public = "public" // not private networks
	None   = "none"
)

// Settings are what a user asked for.
type Settings struct {
	Egress string   `json:"egress,omitempty"` // "" is None where anything is allowed by a rule, else All
	Allow  []string `json:"allow,omitempty"`
	Deny   []string `json:"deny,omitempty"`
}

// Policy is what a guest may reach. The zero value allows all.
type Policy struct {
	egress string
	rules  []Rule
}

// maxRules bounds what each connection is compared with.
const maxRules = 1000

// New reads settings.
func New(s Settings) (p Policy, err error) {
	p.egress = s.Egress
	if n := len(s.Allow) + len(s.Deny); n > maxRules {
		return p, fmt.Errorf("%d rules: there may be %d", n, maxRules)
	}
	switch s.Egress {
	case All, Public, None:
	case "":
		p.egress = All
		if len(s.Allow) > 0 {
			p.egress = None
		}
	default:
		return p, fmt.Errorf("egress %q is neither %s nor %s nor %s", s.Egress, All, Public, None)
	}
	for _, list := range []struct {
		texts []string
		deny  bool
	}{{s.Deny, true}, {s.Allow, false}} {
		for _, text := range list.texts {
			r, err := ParseRule(text, list.deny)
			if err != nil {
				return p, err
			}
			p.rules = append(p.rules, r)
		}
	}
	return p, nil
}

// Verdict is what becomes of a connection or a name, and by what.
type Verdict struct {
	Allowed bool   `json:"allowed"`
	Rule    string `json:"rule"`
}

// Connection decides on a connection to a port of an address. names are those
// that the guest was told the address for; it is allowed where one of them
// would do.
func (p Policy) Connection(to netip.AddrPort, names []string) Verdict {
	verdict := p.connection(to, "")
	for _, name := range names {
		if verdict.Allowed && !p.names() {
			break
		}
		if v := p.connection(to, name); v.Rule != verdict.Rule {
			verdict = v
			if v.Allowed {
				break
			}
		}
	}
	return verdict
}

func (p Policy) connection(to netip.AddrPort, name string) Verdict {
	private := IsPrivate(to.Addr())
	var best *Rule
	for i := range p.rules {
		r := &p.rules[i]
		// A name does not open private networks: who owns it chooses its addresses.
		if !r.matches(to, name) || r.byName() && !r.deny && private && p.egress != All {
			continue
		}
		if best == nil || r.outranks(*best) {
			best = r
		}
	}
	if best != nil {
		return Verdict{!best.deny, best.String()}
	}
	return p.unruled(private)
}

func (p Policy) unruled(private bool) Verdict {
	egress := cmp.Or(p.egress, All)
	return Verdict{egress == All || egress == Public && !private, "egress " + egress}
}

// Name decides whether a name is resolved: not where no connection to it could
// be allowed.
func (p Policy) Name(name string) Verdict {
	name = hostname.Canonical(name)
	var best *Rule
	for i := range p.rules {
		r := &p.rules[i]
		if !r.byName() || !r.matchesName(name) || r.deny && r.port != 0 {
			continue
		}
		if best == nil || r.outranks(*best) {
			best = r
		}
	}
	switch {
	case best != nil:
		return Verdict{!best.deny, best.String()}
	case p.egress == None && !p.allowsAddresses():
		return Verdict{false, "egress " + None}
	}
	return Verdict{true, "egress " + cmp.Or(p.egress, All)}
}

// allowsAddresses reports whether a name without a rule may have an address
// with one.
func (p Policy) allowsAddresses() bool {
	for _, r := range p.rules {
		if !r.deny && !r.byName() {
			return true
		}
	}
	return false
}

// names reports whether any rule is by name.
func (p Policy) names() bool {
	for _, r := range p.rules {
		if r.byName() {
			return true
		}
	}
	return false
}

// Network is a network between VMs that a guest is on. It is as a rule that allows
// its addresses.
type Network struct {
	Name   string
	Subnet netip.Prefix
}

func (n Network) rule() Rule { return Rule{text: "network " + n.Name, prefix: n.Subnet} }

// PeerNames are all that a VM is called by those that it shares a network with.
func PeerNames(vm string) []string {
	return []string{hostname.Canonical(vm) + zone, hostname.Canonical(vm)}
}

// PeerLabel is the VM that a name would mean.
func PeerLabel(name string) string { return strings.TrimSuffix(hostname.Canonical(name), zone) }

const zone = ".banger.internal"

// Peer decides on a connection to a port of another member of a network, with all
// the names that it has.
func (p Policy) Peer(to netip.AddrPort, names []string, in Network) Verdict {
	best := in.rule()
	for _, r := range p.rules {
		one := func(name string) bool { return r.matches(to, name) }
		if (slices.ContainsFunc(names, one) || one("")) && r.outranks(best) {
			best = r
		}
	}
	return Verdict{!best.deny, best.String()}
}

// PeerName decides whether another member's names are resolved: not where no
// connection to it could be allowed.
func (p Policy) PeerName(names []string, in Network) Verdict {
	best := in.rule()
	for _, r := range p.rules {
		if r.byName() && (!r.deny || r.port == 0) && slices.ContainsFunc(names, r.matchesName) && r.outranks(best) {
			best = r
		}
	}
	return Verdict{!best.deny, best.String()}
}

// Names reports whether the policy has to know which names addresses are of.
func (p Policy) Names() bool { return p.names() }

// RuleOfHost is what closes what OfHost is true of.
const RuleOfHost = "what is the host's own, or its link's, is closed"

// OfHost reports whether an address is the host's own, of which own are those of
// its interfaces, or its link's, or nobody's: no rule opens one.
func OfHost(a netip.Addr, own []netip.Addr) bool {
	a = a.Unmap()
	if a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || slices.Contains(own, a) {
		return true
	}
	if !a.Is4() {
		return a.IsUnspecified()
	}
	first := a.As4()[0]
	return first == 0 || first >= 224 // this host, multicast, reserved, broadcast
}

var privateNetworks = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("224.0.0.0/3"), netip.MustParsePrefix("::/127"), netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("ff00::/8"),
}

// IsPrivate reports whether an address is of no public network: RFC 1918, RFC
// 6598, RFC 4193, and what is special.
func IsPrivate(a netip.Addr) bool {
	a = a.Unmap()
	for _, p := range privateNetworks {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
