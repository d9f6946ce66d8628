package supervisor

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Setting the clock to what it is counts as a jump.
func TestHostClockJumps(t *testing.T) {
	c, err := openHostClock()
	if err != nil {
		t.Fatal(err)
	}
	jumps, ended := make(chan bool, 16), make(chan bool)
	go func() {
		defer close(ended)
		c.follow(func() { jumps <- true })
	}()
	for range 2 {
		now := unix.NsecToTimespec(time.Now().UnixNano())
		if err := unix.ClockSettime(unix.CLOCK_REALTIME, &now); errors.Is(err, unix.EPERM) {
			t.Log("may not set the clock, so sees only that following ends")
			break
		} else if err != nil {
			t.Fatal(err)
		}
		<-jumps
	}
	c.Close()
	<-ended
}
