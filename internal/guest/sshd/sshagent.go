package sshd

import (
	"net"
	"os"
	"path/filepath"
)

// forwardAgent makes a socket that leads to the client's SSH agent, for as long
// as the session lasts.
func (s *session) forwardAgent() bool {
	if s.started || s.agentSocket != "" {
		return false
	}
	if err := os.MkdirAll(s.server.runDir, 0o755); err != nil {
		return false
	}
	dir, err := os.MkdirTemp(s.server.runDir, "agent-")
	if err != nil {
		return false
	}
	path := filepath.Join(dir, "socket")
	listener, err := listenFor(s.login, path)
	if err == nil && os.Geteuid() == 0 {
		err = os.Chown(dir, int(s.login.UID), int(s.login.GID))
	}
	if err != nil {
		if listener != nil {
			listener.Close()
		}
		os.RemoveAll(dir)
		return false
	}
	s.agentSocket = path
	go forwardToClient(s.conn, listener, "auth-agent@openssh.com", func(net.Conn) []byte { return nil })
	go func() {
		<-s.ctx.Done()
		listener.Close()
		os.RemoveAll(dir)
	}()
	return true
}
