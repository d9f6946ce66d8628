package supervisor

import (
	"errors"
	"io"

	"banger/internal/usernet/policy"
	"banger/internal/vm"
)

// policy is what the guest may reach.
func (s *supervisor) policy() (policy.Policy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return policy.New(s.vm.Policy)
}

// setPolicy changes it for new connections, and for later starts.
func (s *supervisor) setPolicy(change *policy.Change) (err error) {
	if change == nil {
		return errors.New("no policy is given")
	}
	s.save(func(*vm.State) {
		var settings policy.Settings
		if settings, err = change.Apply(s.vm.Policy); err != nil {
			return
		}
		s.vm.Policy = settings
		if s.boot != nil {
			rules, _ := policy.New(settings) // Apply has tried it
			s.boot.network.SetPolicy(rules)
		}
	})
	return err
}

// maxTrafficLog bounds the log of the guest's connections, in bytes: the guest
// decides how much that is.
const maxTrafficLog = 1 << 20

// followTraffic writes that log, and what comes to it, until the client is gone
// or the supervisor ends.
func (s *supervisor) followTraffic(conn *vm.LineConn) {
	if reply(conn, nil) != nil {
		return
	}
	gone := make(chan struct{})
	go func() {
		io.Copy(io.Discard, conn)
		close(gone)
	}()
	s.traffic.Follow(conn, gone)
}
