package agentapi

import (
	"crypto/hmac"
	"crypto/sha256"
)

// RestoreProtocol is the number of what is said at RestorePort, which agents that
// were saved long ago go on speaking.
//
// The host dials and sends a line with Restore. The agent makes the guest the VM
// that it says, and answers with a line of Restored. Until the host then closes
// the connection, the guest has no other network.
const RestoreProtocol = 1

// Restore is what a guest that was restored has to become.
type Restore struct {
	Token         []byte `json:"token"`      // RestoreToken of the key that the guest was saved with
	UnixNano      int64  `json:"unix_nano"`  // the host's clock
	Seed          []byte `json:"seed"`       // for the guest's random pool
	Generation    string `json:"generation"` // different in each copy
	Hostname      string `json:"hostname"`
	MachineID     string `json:"machine_id"`     // 32 hex digits
	HostKey       string `json:"host_key"`       // as in Settings
	AuthorizedKey string `json:"authorized_key"` // as in Settings
	MAC           string `json:"mac"`

	Networks []string `json:"networks,omitempty"` // as in Settings
	Secrets  *Secrets `json:"secrets,omitempty"`  // as in Settings
}

// Restored is the agent's answer.
type Restored struct {
	Error    string   `json:"error,omitempty"`    // why the guest is not what it should be
	Warnings []string `json:"warnings,omitempty"` // what else could not be done
}

// MaxRestore is more than a line at RestorePort has, in bytes.
const MaxRestore = 64 << 10

// RestoreToken shows that who dials is the host: the key, in the PEM form of
// Settings, is known to it and to the agent alone.
func RestoreToken(hostKey string) []byte {
	mac := hmac.New(sha256.New, []byte(hostKey))
	mac.Write([]byte("banger: restored"))
	return mac.Sum(nil)
}
