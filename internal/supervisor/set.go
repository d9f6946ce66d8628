package supervisor

import (
	"errors"

	"banger/internal/vm"
)

// set changes the VM's settings. A disk grows between two starts only. waits names
// what the guest gets at its next start.
func (s *supervisor) set(c *vm.Change) (waits []string, err error) {
	if c == nil || c.DiskBytes != nil {
		return nil, errors.New("no change is given that a running vm takes")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	changed, err := c.Apply(s.vm)
	if err == nil {
		err = s.checkValues(c.Values)
	}
	if err == nil {
		err = s.VMs.Save(changed)
	}
	if err != nil {
		return nil, err
	}
	s.vm = changed
	if c.TTL != nil {
		s.vm.State.ExpiresAt = expiry(*c.TTL)
		s.VMs.Save(s.vm)
	}
	s.use.poke()
	waits = c.Waits()
	if s.changeSecrets(c) {
		waits = append(waits, "secrets")
	}
	return waits, nil
}

// spec is the VM as it is set now.
func (s *supervisor) spec() vm.VM {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.vm
}
