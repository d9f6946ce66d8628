package supervisor

import (
	"testing"
	"time"

	"banger/internal/vm"
)

func TestIdleness(t *testing.T) {
	at := time.Unix(1000, 0)
	var i idleness
	for n, tt := range []struct {
		after, used time.Duration
		busy        bool
	}{
		{0, 50 * time.Second, false},                        // the first look says nothing
		{10 * time.Second, 50 * time.Second, false},         // nothing was done
		{20 * time.Second, 50500 * time.Millisecond, false}, // timers
		{30 * time.Second, 52 * time.Second, true},
		{40 * time.Second, 52 * time.Second, false},
	} {
		if busy := i.busy(at.Add(tt.after), tt.used); busy != tt.busy {
			t.Errorf("%d: busy is %v", n, busy)
		}
	}
}

func TestUntilNextLook(t *testing.T) {
	now := time.Unix(1000, 0)
	for name, tt := range map[string]struct {
		idle   time.Duration
		expiry time.Time
		want   time.Duration
	}{
		"nothing":       {0, time.Time{}, 24 * time.Hour},
		"far away":      {0, now.Add(time.Hour), time.Minute},
		"soon":          {0, now.Add(5 * time.Second), 5 * time.Second},
		"over":          {0, now.Add(-time.Second), 0},
		"idle for long": {time.Hour, time.Time{}, 30 * time.Second},
		"idle, briefly": {2 * time.Second, time.Time{}, time.Second},
	} {
		v := vm.VM{IdleTimeout: vm.Duration(tt.idle), State: vm.State{ExpiresAt: tt.expiry}}
		if got := untilNextLook(v, now); got != tt.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// Whoever is connected uses the VM until the last one leaves.
func TestUse(t *testing.T) {
	var u use
	now := time.Now()
	first, second := u.begin(), u.begin()
	first()
	first() // once is enough
	if got := u.since(now.Add(time.Hour)); !got.Equal(now.Add(time.Hour)) {
		t.Errorf("used last at %s", got)
	}
	second()
	if got := u.since(now.Add(2 * time.Hour)); got.After(now.Add(time.Hour)) {
		t.Errorf("after the last has left: %s", got)
	}
}
