package supervisor

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"banger/internal/agent/link"
	"banger/internal/agentapi"
	"banger/internal/usernet"
)

// maxEvent is more than any line of the agent's, in bytes.
const maxEvent = 64 << 10

// sendTimeout is how long a guest may take to make room for a line to it.
const sendTimeout = 5 * time.Second

// proofTime is how long one who connects may take to show that it is the agent,
// which emulated processors may need.
const proofTime = 10 * time.Second

// agent is the host's end of the link to the guest's agent. The guest dials; where
// the link breaks it dials again. What dials may be anything in the guest, and
// whatever it is, all that is kept of it is bounded.
type agent struct {
	listener  net.Listener
	secret    []byte
	strangers strangers
	ready     chan agentapi.Event // takes the first ready event

	mu      sync.Mutex
	link    *link.Link    // nil while there is none
	linked  chan struct{} // closed when there is one
	control net.Conn      // its control stream
	warn    []string
	closed  bool
}

func newAgent(secret []byte) *agent {
	return &agent{secret: secret, ready: make(chan agentapi.Event, 1), linked: make(chan struct{})}
}

func listenAgent(network *usernet.Network, secret []byte) (*agent, error) {
	listener, err := network.Listen(agentapi.LinkPort)
	if err != nil {
		return nil, err
	}
	a := newAgent(secret)
	a.listener = listener
	go a.strangers.meetAll(listener, a.meet)
	return a, nil
}

// meet serves what connected, once it has proved that it is the agent.
func (a *agent) meet(conn net.Conn) {
	l, err := link.Accept(conn, a.secret, proofTime)
	a.strangers.remove(conn)
	if err != nil {
		conn.Close()
		return
	}
	defer l.Close()
	a.follow(l)
}

// follow greets the agent and hears its events until the link ends.
func (a *agent) follow(l *link.Link) {
	ctx, cancel := context.WithTimeout(context.Background(), sendTimeout)
	defer cancel()
	control, err := l.Open(ctx)
	if err != nil {
		return
	}
	control.SetWriteDeadline(time.Now().Add(sendTimeout))
	welcome := agentapi.Welcome{UnixNano: time.Now().UnixNano()}
	if link.WriteHeader(control, agentapi.StreamControl, welcome) != nil {
		return
	}
	if !a.setLink(l, control) {
		return
	}
	defer a.unsetLink(l)
	a.followLines(control, func(o agentapi.Order) { send(control, o) })
}

// setLink makes l the link that is used, in place of an older one, and reports
// whether links are wanted still.
func (a *agent) setLink(l *link.Link, control net.Conn) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	if a.link == nil {
		close(a.linked)
	} else {
		go a.link.Close() // the agent has given it up
	}
	a.link, a.control = l, control
	return true
}

func (a *agent) unsetLink(l *link.Link) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.link == l {
		a.link, a.control, a.linked = nil, nil, make(chan struct{})
	}
}

// open opens a stream to the agent. After a pause, it may have to dial again
// first.
func (a *agent) open(ctx context.Context) (*link.Stream, error) {
	for {
		a.mu.Lock()
		l, linked := a.link, a.linked
		a.mu.Unlock()
		if l != nil {
			return l.Open(ctx)
		}
		select {
		case <-linked:
		case <-ctx.Done():
			return nil, errors.New("the guest's agent is not there")
		}
	}
}

// followLines hears events until one is none, or too long, and answers those that
// ask.
func (a *agent) followLines(r io.Reader, answer func(agentapi.Order)) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		var event agentapi.Event
		if json.Unmarshal(lines.Bytes(), &event) != nil {
			return
		}
		if event.Kind == agentapi.EventAskTime {
			answer(agentapi.Order{Do: agentapi.OrderTime, UnixNano: time.Now().UnixNano()})
			continue
		}
		a.hear(event)
	}
}

// send writes a line to a guest, which may not read it.
func send(conn net.Conn, line any) error {
	conn.SetWriteDeadline(time.Now().Add(sendTimeout))
	return json.NewEncoder(conn).Encode(line)
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
func (a *agent) stop() bool { return a.order(agentapi.OrderStop) }

// checkTime makes the agent ask what time it is, if one is linked. An agent that links
// later asks by itself.
func (a *agent) checkTime() { a.order(agentapi.OrderCheckTime) }

// order reports whether there is an agent to hear it.
func (a *agent) order(what string) bool {
	a.mu.Lock()
	control := a.control
	a.mu.Unlock() // a guest that does not read must hold up nobody else
	return control != nil && send(control, agentapi.Order{Do: what}) == nil
}

func (a *agent) close() {
	a.listener.Close()
	a.strangers.close()
	a.mu.Lock()
	a.closed = true
	l := a.link
	a.mu.Unlock()
	if l != nil {
		l.Close()
	}
}
