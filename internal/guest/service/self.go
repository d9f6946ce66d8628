package service

import (
	"sync"
	"time"

	"banger/internal/agentapi"
	"banger/internal/guest/console"
	"banger/internal/guest/entropy"
	"banger/internal/guest/identity"
	"banger/internal/guest/network"
	"banger/internal/guest/tcpend"
	"banger/internal/guest/trust"

	"golang.org/x/sys/unix"
)

// self is which VM this is: another one after each restore. It implements
// restored.Guest.
type self struct {
	mu    sync.Mutex
	is    agentapi.Settings
	quiet chan struct{} // closed when there is a network again, nil while there is one
	fresh chan struct{} // takes a word that there is one again
}

func newSelf(s agentapi.Settings) *self { return &self{is: s, fresh: make(chan struct{}, 1)} }

func (s *self) settings() agentapi.Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.is
}

// HostKey implements restored.Guest.
func (s *self) HostKey() string { return s.settings().HostKey }

// Become implements restored.Guest.
func (s *self) Become(r agentapi.Restore) (answer agentapi.Restored) {
	s.hold()
	warn := func(doing string, err error) {
		if err != nil {
			console.Log("warning: %s: %v", doing, err)
			answer.Warnings = append(answer.Warnings, doing+": "+err.Error())
		}
	}
	setClock(time.Unix(0, r.UnixNano))
	if err := entropy.Renew(r.Seed); err != nil {
		answer.Error = "renew the random pool: " + err.Error()
		return answer
	}
	old := s.become(r)
	warn("set the hostname", unix.Sethostname([]byte(r.Hostname)))
	for _, err := range identity.Renew("/", s.settings()) {
		warn("renew the guest's identity", err)
	}
	for _, err := range trust.Apply("/", r.Secrets) {
		warn("trust the authority of this VM's secrets", err)
	}
	warn("end the connections", tcpend.All(agentapi.RestorePort))
	warn("run the guest's hooks", runHooks(hooksDir, restoredFile, r.Generation))
	warn("set the addresses in networks", network.SetAddresses(old.MAC, r.Networks))
	// Last, since from here on frames to the old address are lost.
	warn("set the card's address", network.SetMAC(old.MAC, r.MAC))
	console.Log("restored as %s", r.Hostname)
	return answer
}

func (s *self) become(r agentapi.Restore) (old agentapi.Settings) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old = s.is
	s.is.Hostname, s.is.MachineID, s.is.MAC = r.Hostname, r.MachineID, r.MAC
	s.is.Networks = r.Networks
	s.is.HostKey, s.is.AuthorizedKey, s.is.Secrets = r.HostKey, r.AuthorizedKey, r.Secrets
	return old
}

// hold keeps the service from dialling a network that is not there yet.
func (s *self) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.quiet == nil {
		s.quiet = make(chan struct{})
	}
}

// Go implements restored.Guest.
func (s *self) Go() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.quiet)
	s.quiet = nil
	select {
	case s.fresh <- struct{}{}:
	default:
	}
}

// awaitNetwork waits for as long as delay, or until a network is there that was
// not, and while there is none.
func (s *self) awaitNetwork(delay time.Duration) {
	select {
	case <-s.fresh:
	case <-time.After(delay):
	}
	s.mu.Lock()
	quiet := s.quiet
	s.mu.Unlock()
	if quiet != nil {
		<-quiet
	}
}
