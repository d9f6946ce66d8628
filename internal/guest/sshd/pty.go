package sshd

import (
	"io"
	"os/exec"

	"banger/internal/guest/terminal"

	"golang.org/x/crypto/ssh"
)

// ptyRequest is the payload of pty-req.
type ptyRequest struct {
	Term          string
	Columns, Rows uint32
	Width, Height uint32 // pixels
	Modes         string
}

func (s *session) setPTY(payload []byte) bool {
	var request ptyRequest
	if s.started || ssh.Unmarshal(payload, &request) != nil {
		return false
	}
	s.pty = &request
	return true
}

func (s *session) resize(payload []byte) bool {
	var size struct{ Columns, Rows, Width, Height uint32 }
	if s.pty == nil || ssh.Unmarshal(payload, &size) != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pty.Columns, s.pty.Rows = size.Columns, size.Rows
	if s.terminal == nil {
		return true
	}
	return s.terminal.Resize(size.Columns, size.Rows) == nil
}

// openTerminal makes the terminal that the client asked for.
func (s *session) openTerminal(uid int) (*terminal.Terminal, error) {
	t, err := terminal.Open(uid)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t.Resize(s.pty.Columns, s.pty.Rows)
	t.SetModes([]byte(s.pty.Modes))
	s.terminal = t
	return t, nil
}

func (s *session) closeTerminal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.terminal.Master.Close()
	s.terminal = nil
}

// runOnTerminal runs cmd as the leader of a terminal's session. What is still
// in the background when it ends does not keep the channel open.
func (s *session) runOnTerminal(cmd *exec.Cmd) error {
	uid := -1
	if c := cmd.SysProcAttr.Credential; c != nil {
		uid = int(c.Uid)
	}
	t, err := s.openTerminal(uid)
	if err != nil {
		return err
	}
	defer s.closeTerminal()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = t.Slave, t.Slave, t.Slave
	cmd.SysProcAttr.Setsid = true
	cmd.SysProcAttr.Setctty = true
	p, err := s.start(cmd)
	t.Slave.Close()
	if err != nil {
		return err
	}
	go io.Copy(t.Master, s.channel)
	copied := make(chan struct{})
	go func() {
		t.CopyTo(s.channel)
		close(copied)
	}()
	s.finish(p)
	t.Finish()
	<-copied
	return nil
}
