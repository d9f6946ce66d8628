package supervisor

import (
	"errors"
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// hostClock tells when the host's clock jumps: when it is set, and when the host
// wakes from a suspend, through which a guest's stands still.
type hostClock struct{ file *os.File }

// openHostClock begins to watch. See timerfd_create(2), TFD_TIMER_CANCEL_ON_SET.
func openHostClock() (*hostClock, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("watch the host's clock: %w", err)
	}
	c := &hostClock{os.NewFile(uintptr(fd), "timerfd")}
	if err := c.arm(fd); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// arm sets the timer to a day that does not come.
func (c *hostClock) arm(fd int) error {
	never := unix.ItimerSpec{Value: unix.Timespec{Sec: math.MaxInt32 << 8}}
	if err := unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &never, nil); err != nil {
		return fmt.Errorf("watch the host's clock: %w", err)
	}
	return nil
}

// follow calls jumped after each jump, until the clock is closed.
func (c *hostClock) follow(jumped func()) {
	for count := make([]byte, 8); ; {
		switch _, err := c.file.Read(count); {
		case errors.Is(err, unix.ECANCELED):
			jumped()
		case err != nil:
			return
		}
	}
}

// checkTime makes a guest that is up check its clock.
func (s *supervisor) checkTime() {
	s.mu.Lock()
	b := s.boot
	s.mu.Unlock()
	if b != nil {
		b.agent.checkTime()
	}
}

// Close ends follow.
func (c *hostClock) Close() error { return c.file.Close() }
