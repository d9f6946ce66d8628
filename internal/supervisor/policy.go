package supervisor

import (
	"errors"
	"fmt"
	"os"
	"sync"

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

// maxTrafficLog is where the log begins anew, in bytes: the guest decides how
// much is written to it.
const maxTrafficLog = 1 << 20

// trafficLog is the log of what the guest was denied.
type trafficLog struct {
	mu      sync.Mutex
	file    *os.File
	written int64
}

func openTrafficLog(path string) (*trafficLog, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the network's log: %w", err)
	}
	return &trafficLog{file: f}, nil
}

// Write never fails: a full disk must not stall the guest.
func (l *trafficLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.written > maxTrafficLog {
		l.file.Truncate(0)
		l.file.Seek(0, 0)
		l.written = 0
	}
	n, _ := l.file.Write(p)
	l.written += int64(n)
	return len(p), nil
}

func (l *trafficLog) Close() error { return l.file.Close() }
