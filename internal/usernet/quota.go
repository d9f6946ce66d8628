package usernet

import (
	"sync"

	"golang.org/x/sys/unix"
)

// A guest decides how many connections it has, how much it sends into them and
// whether it reads. What that takes of this process is bounded here: each
// connection costs what an idle one does, and what is under way in it comes out
// of the same pool, so that many connections have little each.
//
// What the guest sends goes on to the host at once. Only where that does not
// read does it stay here, and only that is counted. A guest that cannot send a
// whole segment waits a fifth of a second each time, so that less than
// baseWindow would be nothing.
const (
	// DefaultConns is how many connections and flows a guest may have with the
	// outside at a time.
	DefaultConns = 4096

	// reserved is how many descriptors are not for the guest's connections: the
	// host's clients have theirs, and so have queries, pings and logs.
	reserved = 768

	poolSize       = 48 << 20 // bytes, for DefaultConns
	connectionCost = poolSize / DefaultConns
	minWindow      = 4 << 10   // what the smallest buffer to the guest holds
	baseWindow     = 160 << 10 // and the smallest from it; half of that is advertised
	maxWindow      = 2 << 20
)

// quota is what a guest's connections may take.
type quota struct {
	mu          sync.Mutex
	connections int // that there may still be
	pool        int // bytes that are left
}

func newQuota(connections int) *quota {
	return &quota{connections: connections, pool: max(poolSize, connections*connectionCost)}
}

// affordable is how many of the wanted connections the limit of descriptors
// allows, which Go has raised as far as it may.
func affordable(wanted int) int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || limit.Cur >= uint64(wanted)+reserved {
		return wanted
	}
	return max(int(limit.Cur)-reserved, int(limit.Cur)/4)
}

// grant is one connection's part of a quota.
type grant struct {
	quota  *quota
	window int // bytes that may be under way, each way
}

// admit grants one connection more, or returns nil where there are too many.
func (q *quota) admit() *grant {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.connections == 0 || q.pool < connectionCost {
		return nil
	}
	q.connections--
	q.pool -= connectionCost
	return &grant{q, minWindow}
}

// grow doubles the window for one that uses it up, and reports whether it could:
// nobody gets more than an eighth of what is left.
func (g *grant) grow() bool {
	g.quota.mu.Lock()
	defer g.quota.mu.Unlock()
	more := g.window
	if g.window >= maxWindow || more > g.quota.pool/8 {
		return false
	}
	g.quota.pool -= more
	g.window *= 2
	return true
}

// fromGuest is what the guest may send before it is carried on, in bytes.
func (g *grant) fromGuest() int { return max(g.window, baseWindow) }

// hold counts what the guest has sent and the host does not read, and reports
// whether there is room for it. The caller unholds size.
func (g *grant) hold() (size int, ok bool) {
	g.quota.mu.Lock()
	defer g.quota.mu.Unlock()
	size = g.fromGuest()
	if size > g.quota.pool {
		return 0, false
	}
	g.quota.pool -= size
	return size, true
}

func (g *grant) unhold(size int) {
	g.quota.mu.Lock()
	defer g.quota.mu.Unlock()
	g.quota.pool += size
}

// release gives all back.
func (g *grant) release() {
	g.quota.mu.Lock()
	defer g.quota.mu.Unlock()
	g.quota.connections++
	g.quota.pool += connectionCost + g.window - minWindow
}
