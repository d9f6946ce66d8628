package usernet

import "testing"

func TestQuota(t *testing.T) {
	q := newQuota(3)
	pool, connections := q.pool, q.connections
	var grants []*grant
	for range 3 {
		grants = append(grants, q.admit())
	}
	if q.admit() != nil {
		t.Error("a fourth was admitted")
	}
	for grants[0].grow() {
	}
	if grants[0].window != maxWindow {
		t.Errorf("alone it grows to %d", grants[0].window)
	}
	for _, g := range grants {
		g.release()
	}
	if q.pool != pool || q.connections != connections {
		t.Errorf("%d bytes and %d connections are left of %d and %d", q.pool, q.connections, pool, connections)
	}
}

// Whoever comes last has what the smallest buffers hold.
func TestQuotaIsShared(t *testing.T) {
	q := newQuota(DefaultConns)
	under := 0
	for range DefaultConns {
		g := q.admit()
		for g.grow() {
		}
		under += 2 * g.window
	}
	if most := poolSize + 2*minWindow*DefaultConns; under > most || q.pool < -poolSize {
		t.Errorf("%d bytes are under way, %d at the most", under, most)
	}
}

func TestAffordable(t *testing.T) {
	if got := affordable(1); got != 1 {
		t.Errorf("got %d", got)
	}
	if got := affordable(1 << 40); got <= 0 || got >= 1<<40 {
		t.Errorf("got %d", got)
	}
}
