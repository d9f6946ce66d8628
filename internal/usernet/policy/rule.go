package policy

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"banger/internal/hostname"
)

// Rule allows or denies a target, each with a port or any.
type Rule struct {
	text     string
	deny     bool
	name     string       // canonical; "" is by address
	wildcard bool         // what is below name, and not name itself
	prefix   netip.Prefix // where name is ""
	port     uint16       // 0 is any
}

func (r Rule) String() string {
	if r.deny {
		return "deny " + r.text
	}
	return "allow " + r.text
}

// ParseRule reads NAME, *.NAME, ADDRESS or ADDRESS/BITS, each with :PORT or
// without; an IPv6 address with a port stands in brackets.
func ParseRule(text string, deny bool) (r Rule, err error) {
	r = Rule{text: text, deny: deny}
	target, port := splitPort(text)
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return r, fmt.Errorf("rule %q: %q is no port from 1 to 65535", text, port)
		}
		r.port = uint16(n)
	}
	if strings.Contains(target, "/") {
		r.prefix, err = netip.ParsePrefix(target)
		if err == nil && r.prefix.Addr().Is4In6() {
			err = fmt.Errorf("write it as an IPv4 network")
		}
		if err != nil {
			return r, fmt.Errorf("rule %q: %w", text, err)
		}
		r.prefix = r.prefix.Masked()
		return r, nil
	}
	if a, err := netip.ParseAddr(target); err == nil {
		a = a.Unmap().WithZone("")
		r.prefix = netip.PrefixFrom(a, a.BitLen())
		return r, nil
	}
	r.name, r.wildcard = strings.CutPrefix(hostname.Canonical(target), "*.")
	if !hostname.IsValid(r.name) {
		return r, fmt.Errorf("rule %q: write a name, *.name, an address or address/bits, and :port where only one is meant", text)
	}
	return r, nil
}

// splitPort parts a target from its port.
func splitPort(text string) (target, port string) {
	if inner, found := strings.CutPrefix(text, "["); found {
		if address, port, found := strings.Cut(inner, "]:"); found {
			return address, port
		}
		return strings.TrimSuffix(inner, "]"), ""
	}
	if strings.Count(text, ":") != 1 {
		return text, ""
	}
	target, port, _ = strings.Cut(text, ":")
	if port == "" {
		port = "missing"
	}
	return target, port
}

// CheckHost reports what is wrong with a text that is to be a host's address or name.
func CheckHost(text string) error {
	if _, err := netip.ParseAddr(text); err != nil && !hostname.IsValid(hostname.Canonical(text)) {
		return fmt.Errorf("%q is no host's address or name", text)
	}
	return nil
}

func (r Rule) byName() bool { return r.name != "" }

func (r Rule) matches(to netip.AddrPort, name string) bool {
	if r.port != 0 && r.port != to.Port() {
		return false
	}
	if r.byName() {
		return r.matchesName(hostname.Canonical(name))
	}
	return r.prefix.Contains(to.Addr().Unmap())
}

func (r Rule) matchesName(name string) bool {
	if r.wildcard {
		return strings.HasSuffix(name, "."+r.name)
	}
	return name == r.name
}

// outranks reports whether r decides where both match: the more specific target
// does, then the one with a port, then the denial.
func (r Rule) outranks(o Rule) bool {
	if a, b := r.rank(), o.rank(); a != b {
		return a > b
	}
	if (r.port != 0) != (o.port != 0) {
		return r.port != 0
	}
	return r.deny && !o.deny
}

// rank is larger the less a target covers: networks by their bits, names below
// others by their length, a name, and one address.
func (r Rule) rank() int {
	const wildcard, name, address = 1000, 2000, 3000
	switch {
	case r.byName() && r.wildcard:
		return wildcard + len(r.name)
	case r.byName():
		return name
	case r.prefix.IsSingleIP():
		return address
	}
	return r.prefix.Bits()
}
