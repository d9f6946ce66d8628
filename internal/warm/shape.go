package warm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"banger/internal/usernet/policy"
)

// Shape is all that a guest which has booted is by then, and that becoming another
// VM does not change. A template is for VMs of its shape, but for their disks: see
// Template.Fits.
type Shape struct {
	ImageDigest  string          `json:"image_digest"`
	StopSignal   string          `json:"stop_signal"` // the image's
	KernelDigest string          `json:"kernel_digest"`
	AgentDigest  string          `json:"agent_digest"`
	CPUs         int             `json:"cpus"`
	MemoryMiB    int             `json:"memory_mib"`
	Backend      string          `json:"backend"` // the VMM's
	Version      string          `json:"version"` // the VMM's
	Accel        string          `json:"accel"`   // the VMM's
	CPU          string          `json:"cpu"`     // the host's model
	CPUFeatures  []string        `json:"cpu_features"`
	Policy       policy.Settings `json:"policy"`        // what its services could reach
	HostLoopback bool            `json:"host_loopback"` // and whether that too
}

// Name is the template's of this shape.
func (s Shape) Name() string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // of strings and numbers
	}
	digest := sha256.Sum256(text)
	return hex.EncodeToString(digest[:20])
}
