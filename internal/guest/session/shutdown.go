package session

import (
	"errors"
	"sync"

	"golang.org/x/sys/unix"
)

// running are the sessions whose program runs.
type running struct {
	mu       sync.Mutex
	sessions map[*Session]struct{}
	closed   bool // to new ones
	done     sync.WaitGroup
}

var errShutdown = errors.New("the guest is shutting down")

func (r *running) add(s *Session) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errShutdown
	}
	if r.sessions == nil {
		r.sessions = map[*Session]struct{}{}
	}
	r.sessions[s] = struct{}{}
	r.done.Add(1)
	return nil
}

func (r *running) remove(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sessions, s)
	r.done.Done()
}

// close lets no more in and returns those there are.
func (r *running) close() []*Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	sessions := make([]*Session, 0, len(r.sessions))
	for s := range r.sessions {
		sessions = append(sessions, s)
	}
	return sessions
}

// Shutdown returns when every program has ended and its client knows how. It
// hangs up on those that have a terminal, since shells there heed little else,
// and leaves it to the caller to tell the others.
func (all *Sessions) Shutdown() {
	for _, session := range all.running.close() {
		session.leaveTerminal()
		session.endUnheeding()
	}
	all.running.done.Wait()
}

// leaveTerminal hangs up on a program that has a terminal, but reads what it
// still has to say.
func (s *Session) leaveTerminal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.terminal != nil && s.process != nil {
		s.process.hangUp()
	}
}

// endUnheeding ends a program that is PID 1 and that no signal but this reaches.
func (s *Session) endUnheeding() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.process; p != nil && p.first && !heeds(p.cmd.Process.Pid, unix.SIGTERM) {
		p.signal(unix.SIGTERM)
	}
}
