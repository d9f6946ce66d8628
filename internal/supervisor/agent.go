package supervisor

import (
	"encoding/json"
	"net"
	"sync"
	"time"

	"banger/internal/agentapi"
	"banger/internal/usernet"
)

// agent is the host's end of the control connection. The guest dials; where
// the connection breaks it dials again.
type agent struct {
	listener net.Listener
	ready    chan agentapi.Event // takes the first ready event

	mu   sync.Mutex
	conn net.Conn
	warn []string
}

func listenAgent(network *usernet.Network) (*agent, error) {
	listener, err := network.Listen(agentapi.ControlPort)
	if err != nil {
		return nil, err
	}
	a := &agent{listener: listener, ready: make(chan agentapi.Event, 1)}
	go a.accept()
	return a, nil
}

func (a *agent) accept() {
	for {
		conn, err := a.listener.Accept()
		if err != nil {
			return
		}
		a.follow(conn)
	}
}

// follow greets the guest and hears its events until the connection ends.
func (a *agent) follow(conn net.Conn) {
	defer conn.Close()
	a.setConn(conn)
	defer a.setConn(nil)
	welcome := agentapi.Welcome{UnixNano: time.Now().UnixNano()}
	if json.NewEncoder(conn).Encode(welcome) != nil {
		return
	}
	events := json.NewDecoder(conn)
	for {
		var event agentapi.Event
		if events.Decode(&event) != nil {
			return
		}
		a.hear(event)
	}
}

func (a *agent) setConn(conn net.Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.conn = conn
}

func (a *agent) hear(event agentapi.Event) {
	switch event.Kind {
	case agentapi.EventReady:
		select {
		case a.ready <- event:
		default: // a later connection's
		}
	case agentapi.EventWarning:
		a.mu.Lock()
		a.warn = append(a.warn, event.Detail)
		a.mu.Unlock()
	}
}

func (a *agent) warnings() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.warn
}

// stop asks the guest to shut down and tells whether there is an agent to hear
// it.
func (a *agent) stop() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conn == nil {
		return false
	}
	return json.NewEncoder(a.conn).Encode(agentapi.Order{Do: agentapi.OrderStop}) == nil
}

func (a *agent) close() {
	a.listener.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conn != nil {
		a.conn.Close()
	}
}
