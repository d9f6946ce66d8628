package supervisor

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"banger/internal/agentapi"
	"banger/internal/usernet"
)

// maxEvent is more than any line of the agent's, in bytes.
const maxEvent = 64 << 10

// sendTimeout is how long a guest may take to make room for a line to it.
const sendTimeout = 5 * time.Second

// agent is the host's end of the control connection. The guest dials; where
// the connection breaks it dials again. What dials may be anything in the guest:
// all that is kept of it is bounded.
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
	if send(conn, welcome) != nil {
		return
	}
	a.followLines(conn)
}

// followLines hears events until one is none, or too long.
func (a *agent) followLines(r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		var event agentapi.Event
		if json.Unmarshal(lines.Bytes(), &event) != nil {
			return
		}
		a.hear(event)
	}
}

// send writes a line to a guest, which may not read it.
func send(conn net.Conn, line any) error {
	conn.SetWriteDeadline(time.Now().Add(sendTimeout))
	return json.NewEncoder(conn).Encode(line)
}

func (a *agent) setConn(conn net.Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.conn = conn
}

func (a *agent) hear(event agentapi.Event) {
	switch event.Kind {
	case agentapi.EventReady:
		event.Kernel, event.Init = clip(event.Kernel, maxRelease), clip(event.Init, maxInit)
		select {
		case a.ready <- event:
		default: // a later connection's
		}
	case agentapi.EventWarning:
		a.warned(clip(event.Detail, maxWarning))
	}
}

func (a *agent) warned(detail string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case len(a.warn) < maxWarnings:
		a.warn = append(a.warn, detail)
	case len(a.warn) == maxWarnings:
		a.warn = append(a.warn, "and more")
	}
}

func (a *agent) warnings() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.warn)
}

// stop asks the guest to shut down and reports whether there is an agent to hear
// it.
func (a *agent) stop() bool {
	a.mu.Lock()
	conn := a.conn
	a.mu.Unlock() // a guest that does not read must hold up nobody else
	return conn != nil && send(conn, agentapi.Order{Do: agentapi.OrderStop}) == nil
}

func (a *agent) close() {
	a.listener.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conn != nil {
		a.conn.Close()
	}
}
