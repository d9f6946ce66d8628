package agent

import (
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// ErrLost says that the guest went away before its program ended.
var ErrLost = errors.New("the connection to the guest was lost before its command ended")

// maxStatus is the highest status that a process can end with.
const maxStatus = 255

// awaitExit returns the exit status that the guest reports, as a shell would
// give it: 128 and the signal's number where one ended the program. Only a
// status of 0 becomes 0, whatever a guest may send.
func awaitExit(requests <-chan *ssh.Request) (int, error) {
	for r := range requests {
		if r.WantReply {
			r.Reply(false, nil)
		}
		var status int
		var err error
		switch r.Type {
		case "exit-status":
			status, err = exitStatus(r.Payload)
		case "exit-signal":
			status, err = exitSignal(r.Payload)
		default:
			continue
		}
		// What more comes must not hold up the connection.
		go ssh.DiscardRequests(requests)
		if err != nil {
			return 0, fmt.Errorf("read the exit status: %w", err)
		}
		return status, nil
	}
	return 0, ErrLost
}

func exitStatus(payload []byte) (int, error) {
	var m struct{ Status uint32 }
	err := ssh.Unmarshal(payload, &m)
	return int(min(m.Status, maxStatus)), err
}

func exitSignal(payload []byte) (int, error) {
	var m struct {
		Name          string
		Core          bool
		Message, Lang string
	}
	err := ssh.Unmarshal(payload, &m)
	number := unix.SignalNum("SIG" + m.Name)
	if number == 0 {
		return maxStatus, err // OpenSSH's for every signal
	}
	return 128 + int(number), err
}
