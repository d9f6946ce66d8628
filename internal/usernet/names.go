package usernet

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// minNameLife is how long an address is a name's at the least: programs
	// resolve first, and connect when they come to it.
	minNameLife = time.Minute
	maxNameLife = 24 * time.Hour
	// maxKnown bounds what a guest can have kept.
	maxKnown = 8192
)

// knownNames are the names that the guest was given addresses for, by them.
type knownNames struct {
	mu    sync.Mutex
	until map[knownName]time.Time
}

type knownName struct {
	address netip.Addr
	name    string
}

// learn keeps a name's addresses in an answer to the guest, also those that it
// has by other names, for as long as that says, or for least.
func (k *knownNames) learn(name string, reply []byte, least time.Duration, now time.Time) {
	var p dnsmessage.Parser
	if _, err := p.Start(reply); err != nil || p.SkipAllQuestions() != nil {
		return
	}
	for {
		h, err := p.AnswerHeader()
		if err != nil {
			return
		}
		if h.Type != dnsmessage.TypeA {
			if p.SkipAnswer() != nil {
				return
			}
			continue
		}
		a, err := p.AResource()
		if err != nil {
			return
		}
		life := min(max(time.Duration(h.TTL)*time.Second, least), maxNameLife)
		k.add(knownName{netip.AddrFrom4(a.A), name}, now.Add(life), now)
	}
}

func (k *knownNames) add(n knownName, until, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.until == nil {
		k.until = map[knownName]time.Time{}
	}
	if len(k.until) >= maxKnown {
		maps.DeleteFunc(k.until, func(_ knownName, until time.Time) bool { return now.After(until) })
	}
	if len(k.until) >= maxKnown {
		clear(k.until) // the guest asks again
	}
	if until.After(k.until[n]) {
		k.until[n] = until
	}
}

// of returns an address's names, sorted.
func (k *knownNames) of(address netip.Addr) (names []string) {
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	for n, until := range k.until {
		if n.address == address && now.Before(until) {
			names = append(names, n.name)
		}
	}
	slices.Sort(names)
	return names
}
