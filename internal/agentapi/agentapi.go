// Package agentapi holds what host and guest say to each other: the settings
// that reach the agent in its initramfs, and what begins and goes on the streams of
// the link between the two.
//
// It is types and constants only; it knows neither processes nor HTTP.
package agentapi

import (
	"encoding/json"
	"time"
)

// The guest's network as the user-mode network lays it out. The addresses are
// the same in every VM: each has a network of its own.
const (
	GuestIP   = "192.168.127.2"
	GatewayIP = "192.168.127.1"
	HostIP    = "192.168.127.254" // the host's loopback, where that is allowed
	PrefixLen = 24
	MTU       = 65520

	SSHPort   = 1023 // the agent's SSH server, in the guest
	LinkPort  = 1023 // where the supervisor waits for the agent's link, at the gateway
	ReachPort = 1022 // the agent's way to the guest's loopback, in the guest

	RestorePort = 1021 // where a guest that was restored hears what it is now
	SharePort   = 1020 // where the supervisor waits for those who carry its directories, at the gateway
)

// The agent answers at ReachPort with one of these when it has read a port, of
// two bytes with the high one first; then the connection is one to that port.
// Behind port 0 comes one of UDP, whose datagrams follow as package datagram has
// them; that is refused too where the host reaches the port itself.
const (
	ReachConnected = 0
	ReachRefused   = 1
)

// Zone is the domain of banger's own names: the host's, and those of the VMs that
// a guest shares a network with.
const Zone = "banger.internal"

// SettingsPath is where the agent finds its settings in the initramfs.
const SettingsPath = "banger/settings.json"

// ModulesDir is where the initramfs keeps the kernel modules to load at boot.
const ModulesDir = "banger/modules"

// FatalPrefix begins the console line, the agent's last, that says why a guest
// could not be set up. The machine ends right after it.
const FatalPrefix = "banger-agent: fatal: "

// NoTimer is the agent's reason for giving up where another boot may go better:
// a kernel that did not get its processor for a tenth of a second while it
// measured the processor's timer goes on without one, see Linux's
// calibrate_APIC_clock, and never wakes from a sleep.
const NoTimer = "the kernel goes without a timer"

// PowerOff is the argument of a reboot that was to be a power-off: Firecracker
// ends with the one and not with the other. Linux prints it on the console.
const PowerOff = "power-off"

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

// Protocol is the number of what is said on the link. A change that an older
// agent, as one in a snapshot is, would not understand takes the next one.
const Protocol = 1

// Header is the line by which the host begins a stream of the link.
type Header struct {
	Protocol int             `json:"protocol"`
	Kind     string          `json:"kind"` // one of the Stream constants
	Payload  json.RawMessage `json:"payload,omitempty"`
}

// The kinds of streams. On all but the first, frames follow, as package link has
// them, with a program's streams and Messages.
const (
	StreamControl    = "control"     // payload: Welcome; Orders follow, and the agent's Events
	StreamExec       = "exec"        // payload: ExecStream
	StreamUntar      = "untar"       // payload: UntarStream; a tar follows as input
	StreamTar        = "tar"         // no payload; the root filesystem follows as a tar
	StreamRest       = "rest"        // no payload; the guest boots to its end and frees memory; how systemd says it is follows as output
	StreamPack       = "pack"        // payload: PackStream; a tree follows as a packed tar
	StreamReady      = "ready"       // no payload; the guest makes ready to be copied
	StreamUnpack     = "unpack"      // payload: UnpackStream; a packed tar follows as input
	StreamList       = "list"        // payload: ListStream; a Listing follows as output, in JSON
	StreamSync       = "sync"        // payload: SyncStream; input and output are packed, and what Do says
	StreamPorts      = "ports"       // no payload; Ports follow as output, in JSON
	StreamWatchPorts = "watch-ports" // no payload; lines follow, at once and after each change, with the TCP ports in JSON
	StreamSettle     = "settle"      // payload: SettleStream
	StreamGrow       = "grow"        // payload: GrowStream
	StreamStats      = "stats"       // no payload; Stats follow as output, in JSON
	StreamTop        = "top"         // no payload; Top follows as output, in JSON
	StreamListen     = "listen"      // payload: ListenStream; the guest listens while it is open
	StreamAccept     = "accept"      // payload: AcceptStream; the next connection, as input and output
)

// Welcome is the payload of a control stream.
type Welcome struct {
	UnixNano int64 `json:"unix_nano"` // the host's clock
}

// Event is a line from the agent on the control stream.
type Event struct {
	Kind   string `json:"kind"`             // one of the Event constants
	Kernel string `json:"kernel,omitempty"` // with ready: uname -r
	Init   string `json:"init,omitempty"`   // with ready: the image's init, "" where the agent is PID 1
	Detail string `json:"detail,omitempty"` // with warning: what the agent could not set up
}

// The kinds of Event.
const (
	EventReady   = "ready"   // the agent serves
	EventWarning = "warning" // part of the set-up failed, the guest goes on
	EventAskTime = "time"    // the agent wants OrderTime, and measures how long it takes
)

// Order is a line from the host on the control stream.
type Order struct {
	Do       string `json:"do"`                  // one of the Order constants
	UnixNano int64  `json:"unix_nano,omitempty"` // with time: the host's clock
}

// The orders.
const (
	OrderStop      = "stop"       // shut down cleanly
	OrderTime      = "time"       // the answer to EventAskTime
	OrderCheckTime = "check-time" // the guest's clock may be off: ask
)

// ExecStream runs a program, as User.
type ExecStream struct {
	User     string    `json:"user"`
	Terminal *Terminal `json:"terminal,omitempty"`
	Exec
}

// Terminal is what a program runs on in place of three streams.
type Terminal struct {
	Type string `json:"type"` // TERM
	Size
}

// Size is a terminal's, in characters.
type Size struct {
	Columns uint32 `json:"columns"`
	Rows    uint32 `json:"rows"`
}

// UntarStream unpacks a tar, as User.
type UntarStream struct {
	User string `json:"user"`
	Untar
}

// PackStream reads what is at a path, with all that is below it, as a tar of the form
// that package tree has, in the blocks of package packed.
type PackStream struct {
	User   string `json:"user"`
	Path   string `json:"path"`             // below the user's home where relative; a slash at its end says that it is a directory
	Follow bool   `json:"follow,omitempty"` // what a link at Path leads to
}

// UnpackStream unpacks such a tar, for User.
type UnpackStream struct {
	User string `json:"user"`
	Path string `json:"path"` // below the user's home where relative; with Name and Into as package tree's Target has them
	Name string `json:"name,omitempty"`
	Into bool   `json:"into,omitempty"`
	Any  bool   `json:"any,omitempty"`  // the tar is any: it is unpacked into the directory Path
	Make bool   `json:"make,omitempty"` // with Any: that directory is made where absent
	Keep bool   `json:"keep,omitempty"` // owners are the tar's, and not User
}

// ListStream says what there is at a path, and in it where that is a directory.
type ListStream struct {
	User   string `json:"user"`
	Path   string `json:"path"`             // below the user's home where relative
	Follow bool   `json:"follow,omitempty"` // what a link at Path leads to
}

// MaxListed bounds a directory's entries in a Listing.
const MaxListed = 5000

// FileInfo is a file of a guest, as the guest says.
type FileInfo struct {
	Name     string    `json:"name"`
	Type     string    `json:"type"` // file, directory, symlink, pipe, socket or device
	Mode     string    `json:"mode"` // in octal, such as 0644
	Size     int64     `json:"size"` // bytes
	Modified time.Time `json:"modified"`
	UID      uint32    `json:"uid"`
	GID      uint32    `json:"gid"`
	Target   string    `json:"target,omitempty"` // of a symlink
}

// Listing is what there is at a path.
type Listing struct {
	FileInfo
	Path    string     `json:"path"`           // absolute
	Entries []FileInfo `json:"entries"`        // of a directory, sorted by name
	More    bool       `json:"more,omitempty"` // there are more than those
}

// SyncStream works on a directory that is kept alike with one of the host's. States
// are as package filesync writes them.
type SyncStream struct {
	User  string   `json:"user"`
	Dir   string   `json:"dir"`             // below the user's home where relative
	Do    string   `json:"do"`              // one of the Sync constants
	Prune bool     `json:"prune,omitempty"` // with SyncRemove: also directories that are empty then
	Skip  []string `json:"skip,omitempty"`  // with SyncScan: directories that are left out
	All   bool     `json:"all,omitempty"`   // with SyncPlace: whatever is in the way is replaced
}

// What a SyncStream does.
const (
	SyncScan   = "scan"   // a state comes out, without hashes
	SyncHash   = "hash"   // a state of names goes in, the same with hashes comes out
	SyncPack   = "pack"   // a state of names goes in, a tar of those comes out
	SyncPlace  = "place"  // a tar goes in; a state of what was left out for it had changed comes out, and one of the files that are placed, without hashes
	SyncRemove = "remove" // a state of what is to be removed goes in, one of what was left for it had changed comes out
)

// Port is a TCP port that one of the guest's programs listens on.
type Port struct {
	Address string `json:"address"`
	Port    uint16 `json:"port"`
	PID     int    `json:"pid,omitempty"`
	Process string `json:"process,omitempty"`
}

// SettleStream has the file systems of devices written and held, for the machine's
// end.
type SettleStream struct {
	Devices []string `json:"devices"`
}

// GrowStream has the file system at a path use all of its device, once that has so
// many bytes.
type GrowStream struct {
	Device string `json:"device"`
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
}

// ListenStream has the guest listen, for connections that AcceptStreams carry: a
// guest opens no stream towards the host.
type ListenStream struct {
	User    string `json:"user"`
	Network string `json:"network"`           // one of the Listen constants
	Address string `json:"address,omitempty"` // with ListenTCP
}

// What a guest listens on.
const (
	ListenTCP      = "tcp"
	ListenSSHAgent = "ssh-agent" // a socket of the user's, for SSH_AUTH_SOCK
)

// Listening says where a guest listens.
type Listening struct {
	ID      string `json:"id"`
	Address string `json:"address"`
}

// AcceptStream waits for a connection.
type AcceptStream struct {
	ID string `json:"id"` // Listening's
}

// Message is what host and guest say to each other of a stream's program. One
// of its parts is set.
type Message struct {
	// From the host. The guest answers both with the same number.
	Signal string `json:"signal,omitempty"` // a name without SIG; for the program
	Resize *Size  `json:"resize,omitempty"`
	Ask    int    `json:"ask,omitempty"` // whether anybody is there, and with Signal, whether it was delivered

	// From the guest.
	Answer  *Answer `json:"answer,omitempty"`
	Refused string  `json:"refused,omitempty"` // why there is no program
	Exit    *int    `json:"exit,omitempty"`    // its status, as a shell says it

	// From the guest, on the streams for listening.
	Listening *Listening `json:"listening,omitempty"`
	Connected bool       `json:"connected,omitempty"`
}

// Answer is the guest's to what the host asked.
type Answer struct {
	To int  `json:"to"`
	OK bool `json:"ok"`
}

// Exec runs a program without a shell between, so that images without one can
// be used and no argument needs quoting; or a line by the user's login shell;
// or, with neither Argv nor Line, that shell itself.
type Exec struct {
	Argv     []string `json:"argv,omitempty"`
	Line     string   `json:"line,omitempty"`
	Dir      string   `json:"dir,omitempty"`      // below the user's home where relative
	Env      []string `json:"env,omitempty"`      // KEY=VALUE, added to the login environment
	First    bool     `json:"first,omitempty"`    // run it as PID 1 of a namespace
	MakeDir  bool     `json:"make_dir,omitempty"` // make Dir where it is absent
	WaitInit bool     `json:"wait_init,omitempty"`
}

// Untar unpacks the tar that follows on stdin into a directory that is made
// where absent. What it makes is the user's.
type Untar struct {
	Dir string `json:"dir"` // below the user's home where relative
}

// Exit statuses for a program that could not be run, as shells give them.
const (
	ExitNotExecutable = 126
	ExitNotFound      = 127
)
