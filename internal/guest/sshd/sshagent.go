package sshd

import (
	"net"
	"os"
	"path/filepath"
)

// forwardAgent makes a socket that leads to the client's SSH agent, for as long
// as the session lasts.
func (c *channel) forwardAgent() bool {
	if c.started || c.agent {
		return false
	}
	if err := os.MkdirAll(c.server.runDir, 0o755); err != nil {
		return false
	}
	dir, err := os.MkdirTemp(c.server.runDir, "agent-")
	if err != nil {
		return false
	}
	path := filepath.Join(dir, "socket")
	listener, err := listenFor(c.login, path)
	if err == nil && os.Geteuid() == 0 {
		err = os.Chown(dir, int(c.login.UID), int(c.login.GID))
	}
	if err != nil {
		if listener != nil {
			listener.Close()
		}
		os.RemoveAll(dir)
		return false
	}
	c.agent = true
	c.Setenv("SSH_AUTH_SOCK", path)
	go forwardToClient(c.conn, listener, "auth-agent@openssh.com", func(net.Conn) []byte { return nil })
	go func() {
		<-c.Done()
		listener.Close()
		os.RemoveAll(dir)
	}()
	return true
}
