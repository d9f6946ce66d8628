package sshd

import (
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"banger/internal/guest/session"
)

// exit reports how the program ended: by its status, or by the signal that ended
// it.
func exit(channel ssh.Channel, e session.Exit) {
	if e.Signal == 0 {
		payload := struct{ Status uint32 }{uint32(e.Status)}
		channel.SendRequest("exit-status", false, ssh.Marshal(&payload))
		return
	}
	payload := struct {
		Name          string
		Core          bool
		Message, Lang string
	}{Name: strings.TrimPrefix(unix.SignalName(e.Signal), "SIG"), Core: e.Core}
	channel.SendRequest("exit-signal", false, ssh.Marshal(&payload))
}
