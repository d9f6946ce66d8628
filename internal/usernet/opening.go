package usernet

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"banger/internal/usernet/policy"
)

// openingTime is how long a client may take over its first message, once begun.
const openingTime = 30 * time.Second

// opening holds what the guest sends first in a connection until it is known
// which host it means: several share an address, and TLS says which of them.
// What is no TLS says nothing, and goes by the address alone.
type opening struct {
	judge func(name string, err error) error // "" is TLS that names no host
	data  []byte
	plain *plain // looks at what is no TLS; nil is not at all
}

// errDenied says that the policy ends a connection.
var errDenied = errors.New("denied")

// opening returns what has to be seen of a connection before it goes on, or nil.
func (n *Network) opening(to netip.AddrPort) *opening {
	judges := to.Addr() != host && n.policy().Names()
	if !judges && n.options.Edge == nil {
		return nil
	}
	return &opening{plain: n.plain(to), judge: func(name string, err error) error {
		if judges {
			if err := n.judgeTLS(to, name, err); err != nil {
				return err
			}
		}
		return n.divert(to, policy.Canonical(name))
	}}
}

// judgeTLS decides on a connection by the host that its TLS names, or by what is
// wrong with it.
func (n *Network) judgeTLS(to netip.AddrPort, name string, err error) error {
	said, names := fmt.Sprintf("TLS for %q", name), []string{name}
	switch {
	case err != nil:
		said, names = err.Error(), nil
	case name == "":
		said, names = "TLS for no name", nil
	}
	v := n.policy().Connection(to, names)
	if v.Allowed {
		return nil
	}
	n.note("denied tcp %s %q by %s: %s", to, n.known.of(to.Addr()), v.Rule, said)
	return errDenied
}

// add takes what comes next. It returns what may go on, which is nothing as long
// as the rest has to be waited for.
func (o *opening) add(data []byte) (pass []byte, err error) {
	if o.data == nil && !isTLS(data) {
		return data, nil
	}
	o.data, o.plain = append(o.data, data...), nil
	whole, err := wholeHello(o.data)
	var name string
	switch {
	case err != nil:
	case !whole:
		return nil, nil
	default:
		name, err = helloName(o.data)
	}
	err = o.judge(name, err)
	if to, ok := errors.AsType[*divertedError](err); ok {
		to.data = o.data
	}
	return o.data, err
}
