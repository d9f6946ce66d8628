package service

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"banger/internal/agent/link"
	"banger/internal/agentapi"
	"banger/internal/guest/console"
	"banger/internal/guest/linkd"
	"banger/internal/guest/power"
	"banger/internal/guest/session"

	"golang.org/x/sys/unix"
)

// How long the service waits before it dials a supervisor again that it lost,
// as after a pause of the whole machine; nothing tells when one is back.
const (
	firstDelay = 100 * time.Millisecond
	lastDelay  = 5 * time.Second
)

// attend keeps a link to the supervisor. The first must succeed: without it the
// host never learns that the guest is up.
func (c Config) attend(sessions *session.Sessions, self *self) {
	server := &linkd.Server{Sessions: sessions, RunDir: runDir, Control: c.control()}
	l, err := dial(self)
	if err != nil {
		power.Fatal(err)
	}
	for {
		console.Log("lost the supervisor: %v", server.Serve(l))
		l.Close()
		l = redial(self)
	}
}

func redial(self *self) *link.Link {
	for delay := firstDelay; ; delay = min(2*delay, lastDelay) {
		self.awaitNetwork(delay)
		if l, err := dial(self); err == nil {
			return l
		}
	}
}

// dialTimeout is for the supervisor to take a connection.
const dialTimeout = 30 * time.Second

func dial(self *self) (*link.Link, error) {
	address := net.JoinHostPort(agentapi.GatewayIP, strconv.Itoa(agentapi.LinkPort))
	conn, err := net.DialTimeout("tcp", address, dialTimeout)
	if err != nil {
		return nil, fmt.Errorf("reach the supervisor: %w", err)
	}
	l, err := link.Offer(conn, link.Secret([]byte(self.HostKey())))
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("reach the supervisor: %w", err)
	}
	return l, nil
}

// control serves the control stream of each link. The first takes the warnings
// on. The guest is ready once its clock is right.
func (c Config) control() func(io.ReadWriter) {
	var once sync.Once
	return func(stream io.ReadWriter) {
		events := json.NewEncoder(stream)
		report := sync.OnceValue(func() error {
			var warnings []string
			once.Do(func() { warnings = c.Warnings })
			return c.report(events, warnings)
		})
		clock := clock{set: setClock, ask: func() error { return events.Encode(agentapi.Event{Kind: agentapi.EventAskTime}) }}
		c.obey(json.NewDecoder(stream), &clock, report)
	}
}

// report passes the warnings on and says that the guest is ready; the supervisor
// looks no further.
func (c Config) report(lines *json.Encoder, warnings []string) error {
	for _, w := range warnings {
		if err := lines.Encode(agentapi.Event{Kind: agentapi.EventWarning, Detail: w}); err != nil {
			return err
		}
	}
	if err := lines.Encode(agentapi.Event{Kind: agentapi.EventReady, Kernel: kernelRelease(), Init: c.Init.Name}); err != nil {
		return err
	}
	console.Log("the supervisor knows that the guest is ready")
	return nil
}

// obey follows orders until the stream ends. The first is that the clock be
// checked; settled is called when it is right.
func (c Config) obey(orders *json.Decoder, clock *clock, settled func() error) {
	var once sync.Once
	err := clock.check()
	for err == nil {
		var order agentapi.Order
		if err = orders.Decode(&order); err != nil {
			return
		}
		switch order.Do {
		case agentapi.OrderStop:
			go once.Do(c.stop)
		case agentapi.OrderCheckTime:
			err = clock.check()
		case agentapi.OrderTime:
			var right bool
			if right, err = clock.hear(time.Unix(0, order.UnixNano)); right {
				err = settled()
			}
		}
	}
}

func (c Config) stop() {
	console.Log("stopping by order")
	if err := c.Init.Reboot(context.Background()); err != nil {
		console.Log("no orderly stop: %v", err)
		power.Restart()
	}
}

func kernelRelease() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}
