package sshd

import (
	"net"

	"banger/internal/guest/usersocket"
)

// forwardAgent makes a socket that leads to the client's SSH agent, for as long
// as the session lasts.
func (c *channel) forwardAgent() bool {
	if c.started || c.agent {
		return false
	}
	listener, err := usersocket.Agent(c.login, c.server.runDir)
	if err != nil {
		return false
	}
	c.agent = true
	c.Setenv("SSH_AUTH_SOCK", listener.Addr().String())
	go forwardToClient(c.conn, listener, "auth-agent@openssh.com", func(net.Conn) []byte { return nil })
	go func() {
		<-c.Done()
		listener.Close()
	}()
	return true
}
