package agentapi

// Settings is everything the agent needs to know about its VM.
type Settings struct {
	Hostname      string   `json:"hostname"`
	MachineID     string   `json:"machine_id"`     // 32 hex digits
	HostKey       string   `json:"host_key"`       // the SSH server's, OpenSSH PEM
	AuthorizedKey string   `json:"authorized_key"` // the only client's, authorized_keys form
	Seed          []byte   `json:"seed"`           // credited to the guest's random pool
	Modules       []string `json:"modules"`        // files in ModulesDir, in loading order
	Root          Root     `json:"root"`
	Volumes       []Volume `json:"volumes,omitempty"`     // in the order in which they are mounted
	MAC           string   `json:"mac"`                   // of the card to the host
	DNS           string   `json:"dns"`                   // resolver's address
	Search        []string `json:"search,omitempty"`      // domains for short names
	Dots          int      `json:"dots,omitempty"`        // how many a name has that is none, 0 for the usual
	Networks      []string `json:"networks,omitempty"`    // more addresses of the card, with their prefixes' bits
	NoInit        bool     `json:"no_init,omitempty"`     // the image's init does not run, as if it had none
	Copied        bool     `json:"copied,omitempty"`      // the disk is another VM's, whose identity is to go
	Mounts        []Mount  `json:"mounts,omitempty"`      // of directories of the host
	Secrets       *Secrets `json:"secrets,omitempty"`     // nil is for none
	Swap          *Swap    `json:"swap,omitempty"`        // nil is for none
	StopSignal    string   `json:"stop_signal,omitempty"` // what ends its processes where it has none, as OCI has it; "" is SIGTERM
}

// Mount is a directory of the host that the guest has. Its number is its place among
// the others.
type Mount struct {
	Target   string `json:"target"`              // absolute
	ReadOnly bool   `json:"read_only,omitempty"` // as the host has it too
	User     string `json:"user"`                // of the guest, whose the host's user's files are
}

// Swap is where a guest puts what its memory has no room for: memory again, where
// it is compressed.
type Swap struct {
	Bytes   int64    `json:"bytes"`             // before they are compressed
	Modules []string `json:"modules,omitempty"` // files in ModulesDir that it takes, in loading order
}

// Secrets is what a guest has of the secrets that it may use: no value.
type Secrets struct {
	Env         []string `json:"env"`          // NAME=PLACEHOLDER
	Authority   string   `json:"authority"`    // the certificate, in PEM, of who vouches for the secrets' hosts
	SubjectHash string   `json:"subject_hash"` // of it, by which OpenSSL looks for it
}

// Root says which block devices make the guest's root filesystem.
type Root struct {
	Image         string `json:"image"`                    // device of the shared image, read-only
	Disk          string `json:"disk"`                     // device of the VM's own disk
	Modules       string `json:"modules,omitempty"`        // device with the kernel's modules, read-only
	KernelRelease string `json:"kernel_release,omitempty"` // what Modules is for, as uname -r says
}

// Volume is a file system that is mounted beside the root.
type Volume struct {
	Name     string `json:"name"`
	Device   string `json:"device"`
	Path     string `json:"path"`
	ReadOnly bool   `json:"read_only,omitempty"`
}
