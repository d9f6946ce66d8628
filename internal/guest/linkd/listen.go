package linkd

import (
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"sync"

	"banger/internal/agent/link"
	"banger/internal/agentapi"
	"banger/internal/guest/session"
	"banger/internal/guest/sockets"
	"banger/internal/guest/usersocket"
)

// listeners are what the guest listens on for the host, by number.
type listeners struct {
	mu   sync.Mutex
	last int
	open map[string]net.Listener
}

func (l *listeners) add(listener net.Listener) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		l.open = map[string]net.Listener{}
	}
	l.last++
	id := strconv.Itoa(l.last)
	l.open[id] = listener
	return id
}

func (l *listeners) get(id string) net.Listener {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open[id]
}

func (l *listeners) remove(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[id].Close()
	delete(l.open, id)
}

// runListening is run for the streams that are about listening.
func (s *Server) runListening(header agentapi.Header, channel *link.Channel) (listens bool, err error) {
	switch header.Kind {
	case agentapi.StreamListen:
		var want agentapi.ListenStream
		if err = json.Unmarshal(header.Payload, &want); err == nil {
			err = s.listen(want, channel)
		}
		return true, err
	case agentapi.StreamPorts:
		return true, say(channel, sockets.Listening("/proc"))
	case agentapi.StreamAccept:
		var want agentapi.AcceptStream
		if err = json.Unmarshal(header.Payload, &want); err == nil {
			err = s.accept(want, channel)
		}
		return true, err
	}
	return false, nil
}

// say sends a value as JSON, which is all that the stream is for.
func say(channel *link.Channel, value any) error {
	go channel.Serve(func(agentapi.Message) {})
	out := channel.Writer(link.Stdout)
	if err := json.NewEncoder(out).Encode(value); err != nil {
		return err
	}
	out.Close()
	return channel.Send(agentapi.Message{Exit: new(int)})
}

// listen listens until the host has lost interest.
func (s *Server) listen(want agentapi.ListenStream, channel *link.Channel) error {
	listener, err := s.openListener(want)
	if err != nil {
		return err
	}
	id := s.listeners.add(listener)
	defer s.listeners.remove(id)
	channel.Send(agentapi.Message{Listening: &agentapi.Listening{ID: id, Address: listener.Addr().String()}})
	channel.Serve(func(agentapi.Message) {})
	return nil
}

func (s *Server) openListener(want agentapi.ListenStream) (net.Listener, error) {
	switch want.Network {
	case agentapi.ListenTCP:
		return net.Listen("tcp", want.Address)
	case agentapi.ListenSSHAgent:
		login, err := session.Lookup(want.User)
		if err != nil {
			return nil, err
		}
		return usersocket.Agent(login, s.RunDir)
	}
	return nil, fmt.Errorf("the agent knows no network %q", want.Network)
}

// accept carries the next connection to what listen listens on.
func (s *Server) accept(want agentapi.AcceptStream, channel *link.Channel) error {
	listener := s.listeners.get(want.ID)
	if listener == nil {
		return fmt.Errorf("nobody listens by the number %q", want.ID)
	}
	conn, err := listener.Accept()
	if err != nil {
		return err
	}
	if err := channel.Send(agentapi.Message{Connected: true}); err != nil {
		conn.Close()
		return err
	}
	go channel.Serve(func(agentapi.Message) {})
	channel.Join(conn, link.Stdin, link.Stdout)
	return nil
}
