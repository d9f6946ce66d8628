package engine

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"banger/internal/network"
	"banger/internal/statedir"
	"banger/internal/usernet/peers"
	"banger/internal/vm"
)

// directory tells a VM's supervisor which VMs are on a network, by what each VM's own state
// says. It implements peers.Directory.
type directory struct {
	networks *network.Store
	vms      *vm.Store
	self     string
	network  string

	mu    sync.Mutex
	read  time.Time
	names map[netip.Addr]string
}

func (e *Engine) directory(self, network string) *directory {
	return &directory{networks: e.networks, vms: e.vms, self: self, network: network}
}

// Listen opens the VM's own socket.
func (d *directory) Listen() (net.Listener, error) { return d.networks.Listen(d.network, d.self) }

// Dial connects to another's.
func (d *directory) Dial(ctx context.Context, name string) (net.Conn, error) {
	return d.networks.Dial(ctx, d.network, name)
}

// ByName returns a member by its name.
func (d *directory) ByName(name string) (m peers.Member, ok bool) {
	v, err := d.vms.Get(name)
	if err != nil {
		return m, false
	}
	p, ok := v.PlaceIn(d.network)
	return peers.Member{Name: v.Name, Address: p.Address.Addr(), Up: v.State.Phase.Alive()}, ok
}

// ByAddress returns a member by its address.
func (d *directory) ByAddress(a netip.Addr) (m peers.Member, ok bool) {
	name := d.nameOf(a)
	if name == "" {
		return m, false
	}
	m, ok = d.ByName(name)
	if m.Address != a {
		d.forget()
		return peers.Member{}, false
	}
	return m, ok
}

// believed is how long the answer is kept that nobody has an address: a guest can ask for
// thousands, and each look reads the state of every VM.
const believed = time.Second

func (d *directory) nameOf(a netip.Addr) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[a] == "" && time.Since(d.read) > believed {
		d.read, d.names = time.Now(), map[netip.Addr]string{}
		vms, _ := d.vms.List()
		for _, m := range membersOf(d.network, vms) {
			d.names[m.Address] = m.VM
		}
	}
	return d.names[a]
}

func (d *directory) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.read, d.names = time.Time{}, nil
}

// IsSupervisor reports whether a process is the supervisor of a VM, by the VM's lock.
func (d *directory) IsSupervisor(pid int, name string) bool {
	return statedir.HeldBy(d.vms.Path(name, statedir.LockFile), pid)
}
