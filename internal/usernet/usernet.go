// Package usernet is a guest's network: a TCP/IP stack in this process, with a
// gateway that resolves names and carries the guest's connections to the
// outside by the host's own sockets, as an ordinary user.
//
// The guest reaches what the host reaches and the policy allows, except the
// host's loopback and its own addresses (unless that is allowed), the cloud's
// metadata service and other link-local addresses. Nothing reaches the guest but through Dial: no port is opened on
// the host.
//
// It stands on gVisor's network stack directly: gvisor-tap-vsock on top of it
// adds a switch, DHCP and an API that one guest does not need, and 12 MiB.
package usernet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"banger/internal/agentapi"
	"banger/internal/usernet/edge"
	"banger/internal/usernet/policy"
)

// Options says what a network allows.
type Options struct {
	// HostLoopback gives the guest the host's loopback at agentapi.HostIP, by
	// the name HostName.
	HostLoopback bool
	// Policy says what the guest reaches outside.
	Policy policy.Policy
	// Networks are those that the guest shares with other VMs' guests.
	Networks []Place
	Name     string           // the VM's, for its peers
	MAC      net.HardwareAddr // of the guest's card, for what its peers send
	// Isolated is why nothing outside is reached, whatever the policy says; "" is
	// that it is.
	Isolated string
	// Held keeps everything from the guest but its restore port, until Release.
	Held bool
	// Edge gives secrets to hosts; nil is for a guest that has none.
	Edge *edge.Edge
	// Traffic takes a line for each connection and name that is allowed or
	// denied; nil discards them.
	Traffic io.Writer
	// Conns is how many connections and flows the guest may have with the
	// outside at a time, where the limit of descriptors allows; 0 is
	// DefaultConns.
	Conns int
	// Log takes messages on what goes wrong; nil discards them.
	Log io.Writer
}

// HostName is the host's name in the guest, where the guest may reach it.
const HostName = "host." + agentapi.Zone

// Network is one guest's network. It implements vmm.Network.
type Network struct {
	options Options
	servers func() []string // the host's name servers, with ports
	hosts   hostNames
	dial    func(context.Context, netip.AddrPort) (*net.TCPConn, error)
	rules   atomic.Pointer[policy.Policy]
	held    atomic.Bool
	known   knownNames
	secrets knownNames // the same, of hosts that Edge knows
	own     ownAddresses
	places  []*place
	stack   *stack.Stack
	link    *link
	pinger  *pinger
	quota   *quota
	queries budget // of its connections that ask for names
	tuples  tuples

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	mu     sync.Mutex // guards closed against the adding of work
	closed bool
	work   sync.WaitGroup
}

// ErrClosed says that the network was closed.
var ErrClosed = errors.New("the network is closed")

// New makes a network. The caller must Close it.
func New(o Options) (*Network, error) {
	if o.Log == nil {
		o.Log = io.Discard
	}
	n := &Network{options: o, servers: hostServers, hosts: hostNames{path: "/etc/hosts"}, dial: DialTCP}
	n.SetPolicy(o.Policy)
	n.held.Store(o.Held)
	n.quota = newQuota(affordable(cmp.Or(o.Conns, DefaultConns)))
	n.queries = newBudget(maxQueries)
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.link, n.pinger = newLink(gatewayMAC, n.admit), newPinger(n)
	n.stack = newStack()
	err := n.setUp()
	if err == nil {
		err = n.joinNetworks()
	}
	if err != nil {
		n.Close()
		return nil, fmt.Errorf("set up the guest's network: %w", err)
	}
	return n, nil
}

func (n *Network) setUp() error {
	if err := attach(n.stack, n.link); err != nil {
		return err
	}
	n.forwardTCP()
	n.forwardUDP()
	return n.serveDNS()
}

// Dial connects to a port of the guest.
func (n *Network) Dial(ctx context.Context, port uint16) (net.Conn, error) {
	c, err := gonet.DialContextTCP(ctx, n.stack, fullAddress(guest, port), ipv4.ProtocolNumber)
	if err != nil {
		return nil, fmt.Errorf("connect to the guest: %w", err)
	}
	return c, nil
}

// Release lets a guest that was held reach what it may. Its card may have another
// address by now.
func (n *Network) Release() {
	n.stack.ClearNeighbors(nicID, ipv4.ProtocolNumber)
	n.held.Store(false)
}

// Close ends every connection and returns when all that the network ran has
// ended.
func (n *Network) Close() {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.cancel()
	for _, p := range n.places {
		p.port.Close()
	}
	n.work.Wait()
	n.stack.Destroy()
}

// spawn runs f beside the caller; Close waits for it. It reports whether the
// network is open.
func (n *Network) spawn(f func()) bool {
	if !n.begin() {
		return false
	}
	go func() {
		defer n.work.Done()
		f()
	}()
	return true
}

// begin announces work, unless the network is closed. The caller ends it by
// n.work.Done.
func (n *Network) begin() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	n.work.Add(1)
	return true
}

// SetPolicy changes what the guest reaches, for new connections.
func (n *Network) SetPolicy(p policy.Policy) { n.rules.Store(&p) }

func (n *Network) policy() policy.Policy {
	if p := n.rules.Load(); p != nil {
		return *p
	}
	return policy.Policy{}
}

// maxNote is how much of a line is kept, in bytes: the guest chooses names, and
// how many an address has.
const maxNote = 1024

// note writes a line of the traffic's log.
func (n *Network) note(format string, args ...any) {
	if n.options.Traffic == nil {
		return
	}
	line := fmt.Appendf(nil, time.Now().UTC().Format(time.RFC3339)+" "+format, args...)
	n.options.Traffic.Write(append(line[:min(len(line), maxNote)], '\n'))
}

func (n *Network) logf(format string, args ...any) {
	fmt.Fprintf(n.options.Log, "network: "+format+"\n", args...)
}

// stackError makes an error of what the stack returns, which nil interfaces
// would spoil.
func stackError(err tcpip.Error) error {
	if err == nil {
		return nil
	}
	return errors.New(err.String())
}
