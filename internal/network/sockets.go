package network

import (
	"context"
	"net"

	"banger/internal/statedir"
)

// Listen opens the socket at which a VM's supervisor is found by those of the
// network's other VMs. The caller holds that VM's lock.
func (s *Store) Listen(network, vm string) (net.Listener, error) {
	return statedir.ListenPackets(s.socket(network, vm))
}

// Dial connects to the supervisor of a VM of the network.
func (s *Store) Dial(ctx context.Context, network, vm string) (net.Conn, error) {
	return statedir.DialPackets(ctx, s.socket(network, vm))
}

// Leave takes away what a supervisor that died left of its socket. The caller holds
// its VM's lock.
func (s *Store) Leave(network, vm string) { statedir.RemoveSocket(s.socket(network, vm)) }

func (s *Store) socket(network, vm string) string {
	return s.tree.Path(network, statedir.PeersDir, vm)
}
