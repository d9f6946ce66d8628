package service

import (
	"time"

	"banger/internal/guest/console"

	"golang.org/x/sys/unix"
)

// How well a clock is set. A busy host answers late, and what it said is then old
// by an unknown part of the round trip: so it is asked again.
const (
	goodRoundTrip = 10 * time.Millisecond
	maxRoundTrips = 8
)

// clock brings the guest's clock to the host's, by round trips over the control
// stream: the shorter one is, the better is known when the host looked. It is set
// once in a check, by the shortest: guesses would have it jump to and fro.
type clock struct {
	ask func() error    // asks the host, which answers with its time
	set func(time.Time) // sets the guest's

	asked time.Time
	best  time.Duration // the shortest round trip of this check, 0 before the first
	off   time.Duration // by how much the guest's clock is behind, by that one
	trips int
}

// check begins a round of asking.
func (c *clock) check() error {
	c.best, c.trips = 0, 0
	return c.again()
}

func (c *clock) again() error {
	c.asked = time.Now()
	return c.ask()
}

// hear takes the host's answer and reports whether the clock is now as right as it
// gets. Where it is not known well yet, the host has been asked again.
func (c *clock) hear(host time.Time) (right bool, err error) {
	trip := time.Since(c.asked)
	if c.best == 0 || trip < c.best {
		c.best, c.off = trip, time.Until(host.Add(trip/2))
	}
	if c.trips++; c.best > goodRoundTrip && c.trips < maxRoundTrips {
		return false, c.again()
	}
	c.set(time.Now().Add(c.off))
	return true, nil
}

// clockSlack is by how much the clock may be off before it is set: less than
// anyone notices, and about what a round trip leaves open.
const clockSlack = 5 * time.Millisecond

// clockStep is by how much the clock may be off before it is set at once, where it
// would else go a little faster or slower for a minute: a step back confuses
// programs, and of any step systemd hears, which reckons all its timers anew.
const clockStep = 25 * time.Millisecond

func setClock(host time.Time) {
	off := time.Until(host)
	var err error
	switch {
	case off.Abs() < clockSlack:
		return
	case off.Abs() < clockStep:
		_, err = unix.Adjtimex(&unix.Timex{Modes: unix.ADJ_OFFSET_SINGLESHOT, Offset: off.Microseconds()})
	default:
		now := unix.NsecToTimespec(host.UnixNano())
		err = unix.ClockSettime(unix.CLOCK_REALTIME, &now)
	}
	if err != nil {
		console.Log("warning: set the clock: %v", err)
	}
}
