package secret

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"banger/internal/hostname"
)

// Host is one that gets a secret, in the form NAME, *.NAME, or either with :PORT.
type Host string

// httpsPort is a host's that says none.
const httpsPort = 443

// Split returns a host's name, which *. may begin, and port.
func (h Host) Split() (name string, port uint16) {
	name, text, found := strings.Cut(string(h), ":")
	if !found {
		return name, httpsPort
	}
	n, _ := strconv.ParseUint(text, 10, 16)
	return name, uint16(n)
}

// Domain is the host's name, or what all of its names are below of.
func (h Host) Domain() string {
	name, _ := h.Split()
	return strings.TrimPrefix(name, "*.")
}

// Matches reports whether a host, whose name is in its canonical form, is meant.
// *.NAME is what is below NAME, and not itself.
func (h Host) Matches(host string, port uint16) bool {
	name, at := h.Split()
	if port != at {
		return false
	}
	if below, wild := strings.CutPrefix(name, "*"); wild {
		return strings.HasSuffix(host, below) && len(host) > len(below)
	}
	return host == name
}

// MatchesName is Matches at any port.
func (h Host) MatchesName(host string) bool {
	_, port := h.Split()
	return h.Matches(host, port)
}

// parseHost reads a host and puts it into its canonical form.
func parseHost(text string) (Host, error) {
	name, port, found := strings.Cut(text, ":")
	name = hostname.Canonical(name)
	if found {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return "", fmt.Errorf("host %q: %q is no port from 1 to 65535", text, port)
		}
		name = net.JoinHostPort(name, strconv.FormatUint(n, 10))
		if n == httpsPort {
			name = strings.TrimSuffix(name, ":443")
		}
	}
	return Host(name), Host(name).check()
}

func (h Host) check() error {
	domain := h.Domain()
	if _, err := netip.ParseAddr(domain); err == nil {
		return fmt.Errorf("host %q: a secret is for a name, whose certificate shows who it is", string(h))
	}
	if !hostname.IsValid(domain) || !strings.Contains(domain, ".") { // a whole top level belongs to nobody
		return fmt.Errorf("host %q: write NAME or *.NAME, and :PORT where it is not 443", string(h))
	}
	if _, port := h.Split(); port == 0 || port == 80 {
		return fmt.Errorf("host %q: TLS is not spoken there, and a secret goes no other way", string(h))
	}
	return nil
}
