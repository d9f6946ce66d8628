package session

import (
	"io"
	"os/exec"

	"banger/internal/guest/terminal"
)

// Window is the terminal that a program is to have.
type Window struct {
	Variable      string // which tells the program of its path, or ""
	Term          string // TERM
	Columns, Rows uint32
	Modes         []byte // as SSH encodes them, RFC 4254, section 8
}

// SetWindow gives the program that is to come a terminal of that size.
func (s *Session) SetWindow(w Window) { s.window = &w }

// Resize changes the terminal's size, if there is to be one, and reports whether
// it could.
func (s *Session) Resize(columns, rows uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.window == nil {
		return false
	}
	s.window.Columns, s.window.Rows = columns, rows
	if s.terminal == nil {
		return true
	}
	return s.terminal.Resize(columns, rows) == nil
}

// openTerminal makes the terminal that the client asked for.
func (s *Session) openTerminal(uid int) (*terminal.Terminal, error) {
	t, err := terminal.Open(uid)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t.Resize(s.window.Columns, s.window.Rows)
	t.SetModes(s.window.Modes)
	s.terminal = t
	return t, nil
}

func (s *Session) closeTerminal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.terminal.Master.Close()
	s.terminal = nil
}

// runOnTerminal runs cmd as the leader of a terminal's session. What is still
// in the background when it ends does not keep the client waiting.
func (s *Session) runOnTerminal(cmd *exec.Cmd) error {
	uid := -1
	if c := cmd.SysProcAttr.Credential; c != nil {
		uid = int(c.Uid)
	}
	t, err := s.openTerminal(uid)
	if err != nil {
		return err
	}
	defer s.closeTerminal()
	if s.window.Variable != "" {
		cmd.Env = append(cmd.Env, s.window.Variable+"="+t.Slave.Name())
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = t.Slave, t.Slave, t.Slave
	cmd.SysProcAttr.Setsid = true
	cmd.SysProcAttr.Setctty = true
	p, err := s.start(cmd)
	t.Slave.Close()
	if err != nil {
		return err
	}
	go io.Copy(t.Master, s.client.Stdin)
	copied := make(chan struct{})
	go func() {
		t.CopyTo(s.client.Stdout)
		close(copied)
	}()
	s.finish(p)
	t.Finish()
	<-copied
	return nil
}
