package usernet

import (
	"fmt"
	"net"

	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// backlog is how many connections to a port of the gateway may wait to be completed
// or accepted. The stack keeps an endpoint for each, and this version of it for ever
// where the guest completes none (google/gvisor#11535); to those beyond it answers
// by cookies, and keeps nothing. gonet.ListenTCP would have 4096.
const backlog = 64

func (n *Network) listen(port uint16) (*gonet.TCPListener, error) {
	queue := new(waiter.Queue)
	endpoint, err := n.stack.NewEndpoint(tcp.ProtocolNumber, ipv4.ProtocolNumber, queue)
	if err != nil {
		return nil, stackError(err)
	}
	if err = endpoint.Bind(fullAddress(gateway, port)); err == nil {
		err = endpoint.Listen(backlog)
	}
	if err != nil {
		endpoint.Close()
		return nil, stackError(err)
	}
	return gonet.NewTCPListener(n.stack, queue, endpoint), nil
}

// Listen accepts the guest's connections to a port of the gateway.
func (n *Network) Listen(port uint16) (net.Listener, error) {
	l, err := n.listen(port)
	if err != nil {
		return nil, fmt.Errorf("listen for the guest: %w", err)
	}
	return l, nil
}
