package usernet

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"banger/internal/hostname"
)

// openingTime is how long a client may take over its first message, once begun.
const openingTime = 30 * time.Second

// opening holds what the guest sends first in a connection until it is known
// which host it means: several share an address, and TLS says which of them, again
// where the host asks for that. What is no TLS says nothing, and goes by the address
// alone.
type opening struct {
	network *Network
	to      netip.AddrPort
	judges  bool   // the policy goes by names
	plain   *plain // looks at what is no TLS; nil is not at all

	data   []byte      // that is held
	name   string      // that the first message has
	sent   bool        // that has gone on, and what follows waits for the host's answer
	rest   bool        // data came with it
	answer *hostAnswer // the host's
	over   bool        // nothing is held any more
}

// errDenied says that the policy ends a connection.
var errDenied = errors.New("denied")

// opening returns what has to be seen of a connection before it goes on, or nil.
func (n *Network) opening(to netip.AddrPort) *opening {
	judges := to.Addr() != host && n.policy().Names()
	if !judges && n.options.Edge == nil {
		return nil
	}
	return &opening{network: n, to: to, judges: judges, plain: n.plain(to), answer: newHostAnswer()}
}

// judge decides on a connection by its client's first message. The error is a
// *divertedError where it goes another way.
func (o *opening) judge(err error) error {
	if o.judges {
		if err := o.network.judgeTLS(o.to, o.name, err); err != nil {
			return err
		}
	}
	return o.network.divert(o.to, hostname.Canonical(o.name))
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
	if o.sent {
		return o.addMore(data)
	}
	if o.data == nil && !isTLS(data) {
		o.over = true
		return data, nil
	}
	o.data, o.plain = append(o.data, data...), nil
	size, name, unread := readHello(o.data)
	if size == 0 && unread == nil {
		return nil, nil
	}
	o.name = name
	if err = o.judge(unread); err != nil {
		if to, ok := errors.AsType[*divertedError](err); ok {
			to.data = o.data
		}
		return nil, err
	}
	if o.over = unread != nil; o.over {
		return o.data, nil // by the address alone
	}
	o.sent, o.rest = true, size < len(o.data)
	pass, o.data = o.data[:size], o.data[size:]
	return pass, nil
}

// maxAgain is more than a client sends before it sends its first message again, of
// which the host may have allowed some, in bytes.
const maxAgain = 64 << 10

// addMore is add once the host has answered. Where it asked for the first message
// again, that has to be for the same host.
func (o *opening) addMore(data []byte) (pass []byte, err error) {
	o.data, o.rest = append(o.data, data...), false
	if !o.answer.again {
		o.over = true
		return o.data, nil
	}
	size, name, err := readHello(pastRecords(o.data))
	switch {
	case err == nil && size == 0 && len(o.data) <= maxAgain:
		return nil, nil
	case err == nil && size > 0 && name == o.name:
		o.over = true
		return o.data, nil
	}
	o.network.note("denied tcp %s %q by its TLS: for %q first, and then for %q", o.to, o.network.known.of(o.to.Addr()), o.name, name)
	return nil, errDenied
}
