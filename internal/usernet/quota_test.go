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

// Of those whose host does not read, no more are kept than there is room for.
func TestHeldBytesAreBounded(t *testing.T) {
	q := newQuota(1000)
	held := 0
	for range 1000 {
		g := q.admit()
		if g == nil {
			break
		}
		if size, ok := g.hold(); ok {
			held += size
		}
	}
	if held == 0 || held > poolSize || q.pool < 0 {
		t.Errorf("%d bytes are held, %d are left", held, q.pool)
	}
}

// Whoever comes last has what the smallest buffers hold.
func TestQuotaIsShared(t *testing.T) {
	q := newQuota(DefaultConns)
	under := 0
	for range DefaultConns {
		if g := q.admit(); g != nil {
			for g.grow() {
			}
			under += g.window
		}
	}
	if most := poolSize + minWindow*DefaultConns; under > most || q.pool < 0 {
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
