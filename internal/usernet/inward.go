package usernet

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"banger/internal/agentapi"
)

// reachTimeout is for the guest's answer to a connection: one that is emulated on a busy
// host takes long. Who is not there says so.
const reachTimeout = 30 * time.Second

// errRefused says that nothing in the guest listens on a port.
var errRefused = errors.New("the guest refuses the connection")

// errTooMany says that the quota is used up.
var errTooMany = errors.New("there are too many connections")

// ForwardTCP carries a connection of the host's to a port of the guest, until
// both sides have ended, and closes it. A server that listens on the guest's
// loopback only is reached through the agent. Where the guest refuses, that is
// the error and the connection is as it was.
func (n *Network) ForwardTCP(ctx context.Context, outside *net.TCPConn, port uint16) error {
	if !n.begin() {
		return ErrClosed
	}
	defer n.work.Done()
	grant := n.quota.admit()
	if grant == nil {
		return errTooMany
	}
	defer grant.release()
	endpoint, queue, err := n.connectAnywhere(ctx, port)
	if err != nil {
		return err
	}
	defer outside.Close()
	n.join(endpoint, queue, outside, grant, nil)
	return nil
}

// connectAnywhere connects to a port of the guest, at whichever address a server
// listens.
func (n *Network) connectAnywhere(ctx context.Context, port uint16) (endpoint tcpip.Endpoint, queue *waiter.Queue, err error) {
	queue = new(waiter.Queue)
	if endpoint, err = n.connectGuest(ctx, queue, guest, port); err == nil {
		return endpoint, queue, nil
	}
	queue = new(waiter.Queue)
	if endpoint, err = n.reach(ctx, queue, port); err == nil {
		return endpoint, queue, nil
	}
	for _, p := range n.places {
		queue = new(waiter.Queue)
		if endpoint, err := n.connectGuest(ctx, queue, p.Address.Addr(), port); err == nil {
			return endpoint, queue, nil
		}
	}
	return nil, nil, err
}

// connectGuest connects to a port at one of the guest's addresses.
func (n *Network) connectGuest(ctx context.Context, queue *waiter.Queue, at netip.Addr, port uint16) (tcpip.Endpoint, error) {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	endpoint, stackErr := n.stack.NewEndpoint(tcp.ProtocolNumber, ipv4.ProtocolNumber, queue)
	if stackErr != nil {
		return nil, stackError(stackErr)
	}
	entry, connected := waiter.NewChannelEntry(waiter.WritableEvents | waiter.EventErr | waiter.EventHUp)
	queue.EventRegister(&entry)
	defer queue.EventUnregister(&entry)
	stackErr = endpoint.Connect(fullAddress(at, port))
	if _, started := stackErr.(*tcpip.ErrConnectStarted); started {
		select {
		case <-connected:
			stackErr = endpoint.LastError()
		case <-ctx.Done():
			endpoint.Abort()
			return nil, ctx.Err()
		case <-n.ctx.Done():
			endpoint.Abort()
			return nil, ErrClosed
		}
	}
	if stackErr != nil {
		endpoint.Close()
		return nil, fmt.Errorf("connect to the guest: %w", stackError(stackErr))
	}
	return endpoint, nil
}

// reach has the agent connect to a port of the guest's loopback.
func (n *Network) reach(ctx context.Context, queue *waiter.Queue, port uint16) (tcpip.Endpoint, error) {
	return n.askAgent(ctx, queue, binary.BigEndian.AppendUint16(nil, port))
}

// askAgent connects to the agent with a request for a port, as agentapi.ReachPort
// has it.
func (n *Network) askAgent(ctx context.Context, queue *waiter.Queue, request []byte) (tcpip.Endpoint, error) {
	endpoint, err := n.connectGuest(ctx, queue, guest, agentapi.ReachPort)
	if err != nil {
		return nil, err
	}
	conn := gonet.NewTCPConn(queue, endpoint)
	conn.SetDeadline(time.Now().Add(reachTimeout))
	defer context.AfterFunc(ctx, func() { endpoint.Abort() })()
	answer := []byte{agentapi.ReachRefused}
	_, err = conn.Write(request)
	if err == nil {
		_, err = io.ReadFull(conn, answer)
	}
	if err == nil && answer[0] != agentapi.ReachConnected {
		err = errRefused
	}
	if err != nil {
		endpoint.Abort()
		return nil, err
	}
	return endpoint, nil
}
