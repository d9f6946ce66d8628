package agentapi

import "time"

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
	Path   Raw    `json:"path"`             // below the user's home where relative; a slash at its end says that it is a directory
	Follow bool   `json:"follow,omitempty"` // what a link at Path leads to
}

// UnpackStream unpacks such a tar, for User.
type UnpackStream struct {
	User string `json:"user"`
	Path Raw    `json:"path"` // below the user's home where relative; with Name and Into as package tree's Target has them
	Name Raw    `json:"name,omitempty"`
	Into bool   `json:"into,omitempty"`
	Any  bool   `json:"any,omitempty"`  // the tar is any: it is unpacked into the directory Path
	Make bool   `json:"make,omitempty"` // with Any: that directory is made where absent
	Keep bool   `json:"keep,omitempty"` // owners are the tar's, and not User
}

// ListStream says what there is at a path, and in it where that is a directory.
type ListStream struct {
	User   string `json:"user"`
	Path   Raw    `json:"path"`             // below the user's home where relative
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
	User  string `json:"user"`
	Dir   Raw    `json:"dir"`             // below the user's home where relative
	Do    string `json:"do"`              // one of the Sync constants
	Prune bool   `json:"prune,omitempty"` // with SyncRemove: also directories that are empty then
	Skip  []Raw  `json:"skip,omitempty"`  // with SyncScan: directories that are left out
	All   bool   `json:"all,omitempty"`   // with SyncPlace: whatever is in the way is replaced
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
	Dir Raw `json:"dir"` // below the user's home where relative
}

// Exit statuses for a program that could not be run, as shells give them.
const (
	ExitNotExecutable = 126
	ExitNotFound      = 127
)
