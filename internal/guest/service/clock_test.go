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
	if set != 0 {
		t.Errorf("set %d times, by guesses", set)
	}
	if !askedAgo(t, &c, goodRoundTrip/2) || asked != 3 || set != 1 {
		t.Errorf("asked %d times, set %d times", asked, set)
	}
}

// It is set once, by the shortest of the round trips.
func TestClockTakesTheMiddleOfTheShortestRoundTrip(t *testing.T) {
	var set []time.Duration
	c := clock{ask: func() error { return nil }, set: func(at time.Time) { set = append(set, time.Until(at)) }}
	for trip := range maxRoundTrips {
		off := time.Duration(trip+1) * time.Hour
		length := time.Hour
		if trip == 3 {
			length = time.Minute
		}
		c.asked = time.Now().Add(-length)
		if _, err := c.hear(time.Now().Add(off)); err != nil {
			t.Fatal(err)
		}
	}
	if len(set) != 1 || (set[0]-4*time.Hour-30*time.Second).Abs() > 10*time.Second {
		t.Errorf("set %v", set)
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
