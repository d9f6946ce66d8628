package supervisor

import (
	"fmt"
	"time"

	"banger/internal/process"
	"banger/internal/vm"
)

// stopPatience is how long a guest may take to shut down whose time is over.
const stopPatience = 10 * time.Second

// idleCPU is the part of one processor that a guest may take and still be idle:
// emulated ones take some for their timers.
const idleCPU = 0.1

// sampling is how often the processors' use is looked at, which nothing tells of.
func sampling(timeout time.Duration) time.Duration {
	return min(max(timeout/10, time.Second), 30*time.Second)
}

func expiry(ttl vm.Duration) time.Time {
	if ttl == 0 {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(ttl)).UTC().Round(0) // by the clock on the wall, over a host's sleep
}

// touch begins the VM's times anew.
func (s *supervisor) touch() {
	s.use.touch()
	s.save(func(st *vm.State) { st.ExpiresAt = expiry(s.vm.TTL) })
	s.use.poke()
}

// end shuts the guest down, and kills it if it does not go down in time.
func (s *supervisor) end(b *boot, why string) {
	s.stop(nil, why)
	timeout := time.NewTimer(stopPatience)
	defer timeout.Stop()
	select {
	case <-b.done:
	case <-timeout.C:
		b.machine.Kill()
	}
}

// endRun ends a VM whose starter has let go.
func (s *supervisor) endRun(b *boot) {
	const why = "its run ended"
	if s.Foreground {
		s.end(b, why)
		return
	}
	s.settle(b)
	s.kill(why)
}

// abandoned is closed where the starter of a VM with a program of its own is gone
// before it could hand over.
func (s *supervisor) abandoned(b *boot) <-chan struct{} {
	if s.Main == nil {
		return nil
	}
	given := make(chan struct{})
	go func() {
		select {
		case <-b.done:
			return
		case <-s.letGo:
		}
		select {
		case <-s.handedOver:
		default:
			close(given)
		}
	}()
	return given
}

// outlived has why the VM is to end when its time is over, or it has been idle
// for long enough.
func (s *supervisor) outlived(b *boot) <-chan string {
	why := make(chan string, 1)
	s.use.touch()
	go func() {
		var work idleness
		for {
			v := s.spec()
			now := time.Now()
			switch {
			case overdue(v.State.ExpiresAt, now):
				why <- "its time to live was over"
				return
			case s.idle(&work, b, v, now):
				why <- fmt.Sprintf("it was idle for %s", v.IdleTimeout)
				return
			}
			timer := time.NewTimer(untilNextLook(v, now))
			select {
			case <-timer.C:
			case <-s.use.poked:
			case <-b.done:
				timer.Stop()
				return
			}
			timer.Stop()
		}
	}()
	return why
}

func overdue(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }

// untilNextLook is when a VM's times are to be looked at again.
func untilNextLook(v vm.VM, now time.Time) time.Duration {
	next := 24 * time.Hour
	if v.IdleTimeout > 0 {
		next = sampling(time.Duration(v.IdleTimeout))
	}
	if !v.State.ExpiresAt.IsZero() {
		const ahead = time.Minute // timers stand still while the host sleeps
		next = min(next, ahead, max(v.State.ExpiresAt.Sub(now), 0))
	}
	return next
}

// idleness is what the processors had taken when they were looked at last.
type idleness struct {
	at   time.Time
	used time.Duration
}

// busy reports whether the processors have worked since the last look.
func (i *idleness) busy(now time.Time, used time.Duration) bool {
	before := *i
	*i = idleness{now, used}
	return !before.at.IsZero() && (used-before.used).Seconds() > idleCPU*now.Sub(before.at).Seconds()
}

// idle reports whether nobody has used the VM for its idle timeout. One that is
// paused is not idle: somebody wants it to stay as it is.
func (s *supervisor) idle(work *idleness, b *boot, v vm.VM, now time.Time) bool {
	if v.IdleTimeout == 0 {
		return false
	}
	used, err := process.CPUTime(b.machine.PID())
	if busy := err == nil && work.busy(now, used); busy || v.State.Phase == vm.Paused {
		s.use.touch()
	}
	return now.Sub(s.use.since(now)) >= time.Duration(v.IdleTimeout)
}
