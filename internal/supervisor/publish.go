package supervisor

import (
	"bufio"
	"context"
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"time"

	"banger/internal/agent/link"
	"banger/internal/agentapi"
	"banger/internal/ports"
	"banger/internal/vm"
)

const (
	// maxPublished is how many of the guest's ports have one of the host's at a time:
	// a guest may open as many as there are.
	maxPublished = 128
	// maxPortsLine is more than a guest says of that many, in bytes.
	maxPortsLine = 16 << 10
	// publishPause is the least between two looks at what the guest says.
	publishPause = 200 * time.Millisecond
	// nearby is how many ports are tried of the host before any will do.
	nearby = 100
	// lifted is added to ports that ordinary users may not open, such as 80.
	lifted     = 8000
	privileged = 1024
)

// publisher opens a port of the host for each that a program of the guest listens
// on, for as long as that does.
type publisher struct {
	*supervisor
	open map[uint16]*ports.Listener // by the guest's ports
}

// publishAll publishes all ports that the guest listens on, if its VM is set to that, until
// stop is called, which returns when they are closed.
func (s *supervisor) publishAll(b *boot) (stop func()) {
	if !s.spec().PublishAll {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p := publisher{s, map[uint16]*ports.Listener{}}
		defer p.apply(nil)
		for ctx.Err() == nil {
			p.follow(ctx, b.agent)
			pause(ctx, time.Second) // the link comes back, or the guest goes
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// follow opens and closes ports as the agent says, until it says no more.
func (p publisher) follow(ctx context.Context, a *agent) {
	stream, err := a.open(ctx)
	if err != nil {
		return
	}
	defer stream.Close()
	defer context.AfterFunc(ctx, func() { stream.Close() })()
	if link.WriteHeader(stream, agentapi.StreamWatchPorts, nil) != nil {
		return
	}
	lines := bufio.NewScanner(stream)
	lines.Buffer(nil, maxPortsLine)
	for lines.Scan() {
		var listening []uint16
		if json.Unmarshal(lines.Bytes(), &listening) != nil {
			return
		}
		p.apply(listening)
		pause(ctx, publishPause)
	}
}

// apply has just these of the guest's ports published, but for those that are
// already, and the agent's.
func (p publisher) apply(listening []uint16) {
	wanted := map[uint16]bool{}
	for _, port := range listening {
		if len(wanted) < maxPublished && port != 0 && !p.isOther(port) {
			wanted[port] = true
		}
	}
	changed := false
	for port, l := range p.open {
		if !wanted[port] {
			l.Close()
			delete(p.open, port)
			changed = true
		}
	}
	for _, port := range slices.Sorted(maps.Keys(wanted)) {
		if p.open[port] == nil {
			if l := p.listen(port); l != nil {
				p.open[port] = l
				changed = true
			}
		}
	}
	if changed {
		p.note()
	}
}

// isOther reports whether a port is the agent's, or published for itself.
func (p publisher) isOther(port uint16) bool {
	if port == agentapi.SSHPort || port == agentapi.ReachPort || port == agentapi.RestorePort {
		return true
	}
	return slices.ContainsFunc(p.spec().Ports, func(s ports.Spec) bool { return s.GuestPort == port && s.Protocol == ports.TCP })
}

// listen opens the same port of the host, or the next that is free, or any. nil is
// that none can be opened.
func (p publisher) listen(port uint16) *ports.Listener {
	first := int(port)
	if first < privileged {
		first += lifted
	}
	tries := []int{int(port)}
	for i := range nearby {
		tries = append(tries, first+i)
	}
	for _, at := range append(tries, 0) {
		if at > 65535 {
			continue
		}
		spec := ports.Spec{HostIP: netip.AddrFrom4([4]byte{127, 0, 0, 1}), HostPort: uint16(at), GuestPort: port, Protocol: ports.TCP}
		if l, err := ports.ListenQuietly(spec, p.portGuest); err == nil {
			return l
		}
	}
	return nil
}

// note writes down what is open, beside what is for other reasons.
func (p publisher) note() {
	var all []ports.Spec
	for _, port := range slices.Sorted(maps.Keys(p.open)) {
		all = append(all, p.open[port].Spec())
	}
	p.save(func(st *vm.State) { st.Published = all })
}
