// Package vm is a VM as the host keeps it: its specification and its last
// known state in vm.json, its own disk and keys, and the ways to make, start,
// stop and remove one.
//
// It guarantees that a VM which can be seen is whole, and that whether one
// runs is read from its supervisor's lock, never from a process number. It
// runs no VMM: the supervisor, a process of its own, does.
package vm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"banger/internal/journal"
	"banger/internal/ports"
	"banger/internal/ref"
	"banger/internal/secret"
	"banger/internal/statedir"
	"banger/internal/usernet/policy"
	"banger/internal/vmm"
)

// VM is the content of vm.json.
type VM struct {
	Name           string          `json:"name"`
	Image          string          `json:"image"`
	ImageDigest    string          `json:"image_digest"` // of its file system, on which the disk's content rests
	Kernel         string          `json:"kernel"`
	CPUs           int             `json:"cpus"`
	MemoryMiB      int             `json:"memory_mib"`
	DiskBytes      int64           `json:"disk_bytes"`          // what the disk adds to the image
	Ephemeral      bool            `json:"ephemeral,omitempty"` // removed when it stops
	HostLoopback   bool            `json:"host_loopback,omitempty"`
	Ports          []ports.Spec    `json:"ports,omitempty"`       // of the host, that lead to the guest
	Mounts         []Mount         `json:"mounts,omitempty"`      // in the order of their making
	PublishAll     bool            `json:"publish_all,omitempty"` // each TCP port that the guest listens on has one of the host
	Policy         policy.Settings `json:"policy,omitzero"`       // what the guest may reach
	Networks       []Place         `json:"networks,omitempty"`
	NoNetwork      bool            `json:"no_network,omitempty"`      // nothing outside is reached
	MaxConnections int             `json:"max_connections,omitempty"` // of the guest with the outside at a time, 0 for the usual
	VMM            string          `json:"vmm,omitempty"`             // the backend that was asked for, "" for the configured one
	Detached       bool            `json:"detached,omitempty"`        // it lives on without the run that made it
	Main           *Main           `json:"main,omitempty"`            // runs at each start
	Secrets        []secret.Secret `json:"secrets,omitempty"`         // that its guest may use, without their values
	Volumes        []Volume        `json:"volumes,omitempty"`
	Labels         Labels          `json:"labels,omitempty"`
	TTL            Duration        `json:"ttl,omitzero"`          // after which it is stopped
	IdleTimeout    Duration        `json:"idle_timeout,omitzero"` // without any use, after which it is stopped
	Snapshot       string          `json:"snapshot,omitempty"`    // that it was made of
	Cold           bool            `json:"cold,omitempty"`        // its first start is a boot, in any case
	Copied         bool            `json:"copied,omitempty"`      // its guest has yet to become another than the one that was copied
	MachineID      string          `json:"machine_id"`
	MAC            string          `json:"mac"`
	CreatedAt      time.Time       `json:"created_at"`
	State          State           `json:"state"`
}

// State is what the supervisor last said of a VM.
type State struct {
	Phase     Phase        `json:"phase"`
	Reason    string       `json:"reason,omitempty"`     // why it stopped, where not as asked
	Failed    bool         `json:"failed,omitempty"`     // it stopped by a fault
	DiskError string       `json:"disk_error,omitempty"` // why the guest got I/O errors, where it did
	StartedAt time.Time    `json:"started_at,omitzero"`
	ReadyAt   time.Time    `json:"ready_at,omitzero"`
	StoppedAt time.Time    `json:"stopped_at,omitzero"`
	VMM       *vmm.Info    `json:"vmm,omitempty"`
	VMMPID    int          `json:"vmm_pid,omitempty"`
	Guest     *Guest       `json:"guest,omitempty"`
	Start     Start        `json:"start,omitempty"`     // how the guest came up
	Took      *Took        `json:"took,omitempty"`      // and where the time of that went
	Ports     []ports.Spec `json:"ports,omitempty"`     // that are open
	Published []ports.Spec `json:"published,omitempty"` // the same, of what the guest listens on by itself
	Volumes   []Volume     `json:"volumes,omitempty"`   // that are attached
	ExpiresAt time.Time    `json:"expires_at,omitzero"` // when its time to live is over
	Main      *MainState   `json:"main,omitempty"`      // of the last start

	SnapshotPausedMillis int64 `json:"snapshot_paused_ms,omitempty"` // how long the last snapshot held the guest still
}

// OpenPorts are all of the host's ports that lead to the guest.
func (s State) OpenPorts() []ports.Spec { return slices.Concat(s.Ports, s.Published) }

// Main is a VM's own program, as its user asked for it: an image may add to that.
type Main struct {
	Argv     []string `json:"argv,omitempty"`
	Dir      string   `json:"dir,omitempty"`
	Env      []string `json:"env,omitempty"`
	User     string   `json:"user,omitempty"`
	WaitInit bool     `json:"wait_init,omitempty"`
}

// MainState is what became of a VM's own program.
type MainState struct {
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	Status    *int      `json:"status,omitempty"` // its exit status, once it has ended
	Error     string    `json:"error,omitempty"`  // why it could not be followed to its end
}

// Guest is what the guest told of itself when it was ready.
type Guest struct {
	Kernel   string   `json:"kernel"`
	Init     string   `json:"init,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// Phase is a step in a VM's life.
type Phase string

// The phases.
const (
	Created  Phase = "created"
	Starting Phase = "starting"
	Running  Phase = "running"
	Paused   Phase = "paused"
	Stopping Phase = "stopping"
	Stopped  Phase = "stopped"
)

// Phases are all of them.
var Phases = []Phase{Created, Starting, Running, Paused, Stopping, Stopped}

// Start is how a guest came up.
type Start string

// The ways.
const (
	Cold     Start = "cold"     // it booted
	Warm     Start = "warm"     // it goes on from a template that had booted
	Restored Start = "restored" // it goes on from a snapshot
)

// Took says where the time of a start went, in milliseconds.
type Took struct {
	Prepare  int64 `json:"prepare"`            // the supervisor, before it starts the VMM
	Load     int64 `json:"load"`               // the VMM, until the guest runs
	Identity int64 `json:"identity,omitempty"` // the guest becomes this VM
	Link     int64 `json:"link"`               // until the guest serves: its boot, where it boots
}

// Alive reports whether a supervisor is at work.
func (p Phase) Alive() bool {
	return p == Starting || p == Running || p == Paused || p == Stopping
}

// NotFoundError says that there is no VM of a name.
type NotFoundError struct {
	Name    string
	Nearest string // a VM that may be meant, or ""
}

func (e *NotFoundError) Error() string { return fmt.Sprintf("no vm is called %q", e.Name) }

// PhaseError says that a VM is not in the phase that an operation needs.
type PhaseError struct {
	Name  string
	Phase Phase
}

func (e *PhaseError) Error() string { return fmt.Sprintf("vm %q is %s", e.Name, e.Phase) }

// Store is the VMs of one state tree.
type Store struct {
	Journal *journal.Journal // of what is done to VMs; nil is none
	tree    statedir.Tree
	waits   func(string) // is told what orders wait for; nil is not

	// Complete, if not nil, completes a VM before its vm.json is written. The done that it
	// returns is called when that is written, or has failed.
	Complete func(context.Context, *VM) (done func(), err error)
	// Leave, if not nil, removes what a VM's supervisor may have left elsewhere. The holder
	// of the VM's lock calls it if the supervisor died or the VM is removed.
	Leave func(VM)
}

// NewStore returns the store of the VMs in tree.
func NewStore(tree statedir.Tree) *Store { return &Store{tree: tree} }

// Note records what happened to a VM. Nothing depends on it.
func (s *Store) Note(e journal.Entry) {
	if s.Journal != nil {
		_ = s.Journal.Append(e)
	}
}

// Path returns the path of a file of the named VM.
func (s *Store) Path(name, file string) string { return s.tree.Path(name, file) }

// Exists reports whether a VM of that name is there.
func (s *Store) Exists(name string) bool { return s.tree.Exists(name) }

// Damaged reports whether the VM's vm.json cannot be read, so that it may be
// anything.
func (v VM) Damaged() bool { return v.CreatedAt.IsZero() }

// Get returns the named VM as it is now. The error is a *NotFoundError where
// there is none.
func (s *Store) Get(name string) (VM, error) {
	if err := ref.CheckName("vm", name); err != nil {
		return VM{}, err
	}
	v, err := s.read(name)
	if errors.Is(err, statedir.ErrAbsent) {
		return VM{}, s.notFound(name)
	}
	if err != nil {
		return VM{}, fmt.Errorf("open vm %q: %w", name, err)
	}
	return v, nil
}

func (s *Store) notFound(name string) error {
	names, _ := s.tree.Names()
	return &NotFoundError{Name: name, Nearest: ref.Nearest(name, names)}
}

// List returns all VMs, sorted by name. One whose vm.json is damaged is listed
// with the reason, so that it can be seen and removed.
func (s *Store) List() ([]VM, error) {
	names, err := s.tree.Names()
	if err != nil {
		return nil, err
	}
	var all []VM
	for _, name := range names {
		v, err := s.read(name)
		switch {
		case errors.Is(err, statedir.ErrAbsent):
			continue // removed meanwhile
		case err != nil:
			v = VM{Name: name, State: State{Phase: Stopped, Reason: "its vm.json cannot be read: " + err.Error()}}
		}
		all = append(all, v)
	}
	return all, nil
}

// read loads vm.json, corrected by the lock: without a supervisor, no VM is alive.
func (s *Store) read(name string) (VM, error) {
	locked := statedir.Locked(s.lockPath(name))
	v, err := s.load(name)
	if err == nil && v.State.Phase.Alive() && !locked {
		v.State.Phase, v.State.Reason = Stopped, supervisorDied
	}
	return v, err
}

const supervisorDied = "its supervisor died"

// load reads vm.json as it is.
func (s *Store) load(name string) (VM, error) {
	var v VM
	if err := s.tree.ReadJSON(name, statedir.VMState, &v); err != nil {
		return VM{}, err
	}
	v.Name = name
	return v, nil
}

// Save writes a VM's vm.json. Only the holder of the VM's lock may call it.
func (s *Store) Save(v VM) error {
	return statedir.WriteJSON(s.Path(v.Name, statedir.VMState), v)
}

// Lock takes the named VM for its supervisor, or for its removal. The error is a
// *PhaseError where a supervisor has it, and a *NotFoundError where it is gone.
func (s *Store) Lock(ctx context.Context, name string) (*statedir.Lock, error) {
	v, err := s.Get(name) // whose vm.json may be damaged
	if errors.As(err, new(*NotFoundError)) {
		return nil, err
	}
	if err == nil && v.State.Phase.Alive() {
		return nil, &PhaseError{Name: name, Phase: v.State.Phase}
	}
	lock, err := statedir.LockSoon(ctx, s.lockPath(name))
	switch {
	case errors.Is(err, fs.ErrNotExist) && !s.tree.Exists(name):
		return nil, s.notFound(name)
	case errors.Is(err, statedir.ErrLocked):
		return nil, s.taken(name)
	}
	return lock, err
}

// taken returns the error for a VM whose lock is held: which phase it is in.
func (s *Store) taken(name string) error {
	v, _ := s.Get(name)
	if !v.State.Phase.Alive() {
		v.State.Phase = Running
	}
	return &PhaseError{Name: name, Phase: v.State.Phase}
}

func (s *Store) lockPath(name string) string { return s.Path(name, statedir.LockFile) }
