package service

import (
	"testing"
	"time"
)

// askedAgo has a clock hear an answer whose round trip took as long as trip.
func askedAgo(t *testing.T, c *clock, trip time.Duration) bool {
	t.Helper()
	c.asked = time.Now().Add(-trip)
	right, err := c.hear(time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return right
}

func TestClockAsksUntilARoundTripIsShort(t *testing.T) {
	var asked, set int
	c := clock{ask: func() error { asked++; return nil }, set: func(time.Time) { set++ }}
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	if askedAgo(t, &c, 4*time.Second) || askedAgo(t, &c, 5*time.Second) {
		t.Error("a clock is right after a round trip of seconds")
	}
	if set != 1 {
		t.Errorf("set %d times: the longer round trip counts too", set)
	}
	if !askedAgo(t, &c, goodRoundTrip/2) || asked != 3 || set != 2 {
		t.Errorf("asked %d times, set %d times", asked, set)
	}
}

func TestClockTakesTheMiddleOfARoundTrip(t *testing.T) {
	var got time.Time
	c := clock{ask: func() error { return nil }, set: func(at time.Time) { got = at }}
	host := time.Now().Add(time.Hour)
	c.asked = time.Now().Add(-time.Minute)
	if _, err := c.hear(host); err != nil {
		t.Fatal(err)
	}
	if off := got.Sub(host.Add(30 * time.Second)); off < 0 || off > 10*time.Second {
		t.Errorf("off by %s", off)
	}
}

func TestClockGivesUpOnAHostThatIsAlwaysLate(t *testing.T) {
	var asked int
	c := clock{ask: func() error { asked++; return nil }, set: func(time.Time) {}}
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	for !askedAgo(t, &c, time.Second) {
	}
	if asked != maxRoundTrips {
		t.Errorf("asked %d times", asked)
	}
}
