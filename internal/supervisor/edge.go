package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"banger/internal/agentapi"
	"banger/internal/secret"
	"banger/internal/statedir"
	"banger/internal/usernet/edge"
	"banger/internal/vm"
)

// edgeFile is what stays of a VM's edge between its starts: no value. The guest's
// programs may have kept a placeholder, and what they trust.
type edgeFile struct {
	Authority    *edge.Authority   `json:"authority"`
	Placeholders map[string]string `json:"placeholders"`
}

// openEdge makes the VM's edge, with the values that the starter has. A VM without
// secrets, or whose image's init does not run, has none.
func (s *supervisor) openEdge() error {
	if len(s.vm.Secrets) == 0 || s.NoInit {
		return nil
	}
	values, err := s.Starter.Secrets()
	if err != nil {
		return err
	}
	for _, x := range s.vm.Secrets {
		if values[x.Name].IsZero() {
			return fmt.Errorf("secret %s has no value", x.Name)
		}
	}
	// A process that dumps its memory would write them to a disk.
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("keep the secrets out of core dumps: %w", err)
	}
	f, err := s.edgeFile(values)
	if err != nil {
		return fmt.Errorf("prepare the secrets of vm %q: %w", s.Name, err)
	}
	s.edge = edge.New(edge.Options{Authority: f.Authority, Secrets: s.vm.Secrets, Values: values, Placeholders: f.Placeholders})
	s.values, s.guestSecrets = values, f.forGuest(s.vm.Secrets)
	return nil
}

// checkValues refuses a value that the guest has.
func (s *supervisor) checkValues(values secret.Values) error {
	if s.guestSecrets == nil {
		return nil
	}
	for name, value := range values {
		if slices.Contains(s.guestSecrets.Env, name+"="+value.Reveal()) {
			return fmt.Errorf("secret %s: its value is what the guest has in its place", name)
		}
	}
	return nil
}

// changeSecrets gives the edge what changed of the VM's secrets; s.mu is held. wait
// says that the guest has to hear of some of it first, at its next start.
func (s *supervisor) changeSecrets(c *vm.Change) (wait bool) {
	if len(c.Secrets) == 0 && len(c.DropSecrets) == 0 {
		return false
	}
	// Whoever reads them may be at it still.
	s.values = maps.Clone(s.values)
	if s.values == nil {
		s.values = secret.Values{}
	}
	maps.Copy(s.values, c.Values)
	for _, name := range c.DropSecrets {
		delete(s.values, name)
	}
	return s.edge == nil || !s.edge.Change(s.vm.Secrets, s.values)
}

// currentValues are the secrets' values, for the next start.
func (s *supervisor) currentValues() secret.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values
}

// edgeFile reads what is there, makes what is not, and writes it.
func (s *supervisor) edgeFile(values secret.Values) (f edgeFile, err error) {
	path := s.VMs.Path(s.Name, statedir.Edge)
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	made := false
	if f.Authority == nil || !f.Authority.IsFor(s.vm.Secrets) {
		if f.Authority, err = edge.NewAuthority(s.Name, s.vm.Secrets); err != nil {
			return f, err
		}
		made = true
	}
	if f.Placeholders == nil {
		f.Placeholders = map[string]string{}
	}
	for name, value := range values {
		if f.Placeholders[name] == "" || f.Placeholders[name] == value.Reveal() {
			f.Placeholders[name] = secret.NewPlaceholder(value)
			made = true
		}
	}
	if !made {
		return f, nil
	}
	return f, statedir.WriteJSON(path, f)
}

// forGuest is what the guest is told.
func (f edgeFile) forGuest(secrets []secret.Secret) *agentapi.Secrets {
	told := &agentapi.Secrets{Authority: f.Authority.Certificate(), SubjectHash: f.Authority.SubjectHash()}
	for _, x := range secrets {
		told.Env = append(told.Env, x.Name+"="+f.Placeholders[x.Name])
	}
	return told
}
