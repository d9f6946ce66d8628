package usernet

import (
	"golang.org/x/sys/unix"
)

const (
	// DefaultConns is how many connections and flows a guest may have with the
	// outside at a time.
	DefaultConns = 4096

	// reserved is how many descriptors are not for the guest's connections: the
	// host's clients have theirs, and so have queries, pings and logs.
	reserved = 768

	// bufferTotal is what the buffers of a few connections take, in bytes for
	// each direction. Many have smaller ones: see bufferShare.
	bufferTotal = 2 << 20
	maxBuffer   = 1 << 20
	minBuffer   = 4 << 10
)

// budget is as full as there are connections.
type budget chan struct{}

func newBudget(size int) budget { return make(budget, size) }

// take reports whether there is room for one more, which leave then gives back.
func (b budget) take() bool {
	select {
	case b <- struct{}{}:
		return true
	default:
		return false
	}
}

func (b budget) leave() { <-b }

// bufferShare is the size of the next connection's buffers. A guest that has many
// connections, or whose peers do not read, must not fill this process's memory.
func (b budget) bufferShare() int {
	return min(max(bufferTotal/max(len(b), 1), minBuffer), maxBuffer)
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
