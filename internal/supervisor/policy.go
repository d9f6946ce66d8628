package supervisor

import (
	"errors"

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
func (s *supervisor) setPolicy(settings *policy.Settings) error {
	if settings == nil {
		return errors.New("no policy is given")
	}
	rules, err := policy.New(*settings)
	if err != nil {
		return err
	}
	s.save(func(*vm.State) {
		s.vm.Policy = *settings
		if s.boot != nil {
			s.boot.network.SetPolicy(rules)
		}
	})
	return nil
}

// maxTrafficLog bounds the log of what the guest was denied, in bytes: the guest
// decides how much that is.
const maxTrafficLog = 1 << 20
