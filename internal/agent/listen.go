package agent

import (
	"context"
	"net"

	"banger/internal/agent/link"
	"banger/internal/agentapi"
)

// maxForwarded is how many connections that the guest opens to one Listener are
// carried at a time.
const maxForwarded = 64

// Listener is where the guest listens for the host.
type Listener struct {
	Address string // in the guest

	client *Client
	id     string
	conn   net.Conn // as long as it is open, so is the listener
}

// Listen makes the guest listen on a TCP address, or on a socket for its user's SSH agent;
// network is one of agentapi's. The caller has to Close it.
func (c *Client) Listen(ctx context.Context, network, address string) (*Listener, error) {
	want := agentapi.ListenStream{User: c.user, Network: network, Address: address}
	waiting, err := c.wait(ctx, agentapi.StreamListen, want)
	if err != nil {
		return nil, err
	}
	at := waiting.heard.Listening
	if at == nil {
		waiting.conn.Close()
		return nil, ErrLost
	}
	return &Listener{Address: at.Address, client: c, id: at.ID, conn: waiting.conn}, nil
}

// Close ends the listening.
func (l *Listener) Close() error { return l.conn.Close() }

// Serve carries each connection to what dial opens, until ctx ends or the guest
// listens no more.
func (l *Listener) Serve(ctx context.Context, dial func(context.Context) (net.Conn, error)) error {
	places := make(chan struct{}, maxForwarded)
	for {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		next, err := l.client.wait(ctx, agentapi.StreamAccept, agentapi.AcceptStream{ID: l.id})
		if err != nil {
			return err
		}
		go func() {
			defer func() { <-places }()
			next.carry(ctx, dial)
		}()
	}
}

// waited is a stream on which the guest has said what was waited for.
type waited struct {
	conn    net.Conn
	channel *link.Channel
	heard   agentapi.Message
	served  chan struct{} // closed when the channel has ended
}

// wait begins a stream and waits for the guest's first word on it.
func (c *Client) wait(ctx context.Context, kind string, payload any) (*waited, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := link.WriteHeader(conn, kind, payload); err != nil {
		conn.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	w := &waited{conn: conn, channel: link.NewChannel(conn), served: make(chan struct{})}
	heard := make(chan agentapi.Message, 1)
	go func() {
		defer close(w.served)
		w.channel.Serve(func(m agentapi.Message) {
			select {
			case heard <- m:
			default: // more than was asked for
			}
		})
	}()
	select {
	case w.heard = <-heard:
		if w.heard.Refused == "" {
			return w, nil
		}
		err = &GuestError{w.heard.Refused}
	case <-w.served:
		err = ErrLost
	}
	conn.Close()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return nil, err
}

// carry joins a connection of the guest's to what dial opens. The guest ends the
// stream, which until then has what it was sent last.
func (w *waited) carry(ctx context.Context, dial func(context.Context) (net.Conn, error)) {
	defer w.conn.Close()
	defer context.AfterFunc(ctx, func() { w.conn.Close() })()
	server, err := dial(ctx)
	if err != nil {
		return
	}
	w.channel.Join(server, link.Stdout, link.Stdin)
	<-w.served
}
