// Package agentapi holds what host and guest say to each other: the settings
// that reach the agent in its initramfs, and what begins and goes on the streams of
// the link between the two.
//
// It is types and constants only; it knows neither processes nor HTTP.
package agentapi

import "encoding/json"

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

// Welcome is the payload of a control stream. Agents of now ask for the time; those in
// older snapshots set their clocks by this first.
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
