package service

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"banger/internal/agentapi"
	"banger/internal/guest/console"
	"banger/internal/guest/control"
	"banger/internal/guest/power"

	"golang.org/x/sys/unix"
)

// How long the service waits before it dials a supervisor again that it lost,
// as after a pause of the whole machine; nothing tells when one is back.
const (
	firstDelay = 100 * time.Millisecond
	lastDelay  = 5 * time.Second
)

// attend keeps a connection to the supervisor. The first must succeed: without
// it the host never learns that the guest is up.
func (c Config) attend() {
	conn, err := c.report(c.Warnings)
	if err != nil {
		power.Fatal(err)
	}
	for {
		c.obey(conn)
		conn.Close()
		conn = c.reconnect()
	}
}

func (c Config) reconnect() *control.Conn {
	for delay := firstDelay; ; delay = min(2*delay, lastDelay) {
		time.Sleep(delay)
		if conn, err := c.report(nil); err == nil {
			return conn
		}
	}
}

// report connects, sets the clock, passes the warnings on and says that the guest
// is ready; the supervisor looks no further.
func (c Config) report(warnings []string) (*control.Conn, error) {
	address := net.JoinHostPort(agentapi.GatewayIP, strconv.Itoa(agentapi.ControlPort))
	conn, welcome, err := control.Dial(address)
	if err != nil {
		return nil, err
	}
	setClock(time.Unix(0, welcome.UnixNano))
	var events []agentapi.Event
	for _, w := range warnings {
		events = append(events, agentapi.Event{Kind: agentapi.EventWarning, Detail: w})
	}
	events = append(events, agentapi.Event{Kind: agentapi.EventReady, Kernel: kernelRelease(), Init: c.Init.Name})
	for _, event := range events {
		if err := conn.Send(event); err != nil {
			conn.Close()
			return nil, fmt.Errorf("report to the supervisor: %w", err)
		}
	}
	console.Log("the supervisor knows that the guest is ready")
	return conn, nil
}

// obey follows orders until the connection breaks.
func (c Config) obey(conn *control.Conn) {
	var once sync.Once
	for {
		order, err := conn.Next()
		if err != nil {
			console.Log("lost the supervisor: %v", err)
			return
		}
		if order.Do == agentapi.OrderStop {
			go once.Do(c.stop)
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

// clockSlack is by how much the clock may be off before it is set: less than
// anyone notices and more than the welcome takes on its way.
const clockSlack = 10 * time.Millisecond

func setClock(host time.Time) {
	if off := time.Since(host).Abs(); off < clockSlack {
		return
	}
	now := unix.NsecToTimespec(host.UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &now); err != nil {
		console.Log("warning: set the clock: %v", err)
	}
}

func kernelRelease() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}
