// Package vmm is the contract between the supervisor and a virtual machine
// monitor: what a VM is made of, and what a backend does with it.
//
// Backends live in packages below this one and all pass the suite in vmmtest.
// This package starts nothing itself.
package vmm

import (
	"context"
	"io"
	"net"
	"time"
)

// Config is a VM as a backend sees it. Paths are absolute.
type Config struct {
	Name      string
	Kernel    string // uncompressed ELF vmlinux
	Initrd    string
	Cmdline   []string // what every backend's guest needs; a backend adds its own
	CPUs      int      // a kernel may leave all but the first for the agent to start
	MemoryMiB int
	Disks     []Disk
	MAC       net.HardwareAddr
	Console   io.Writer        // the guest's serial console; written from one goroutine
	Log       io.Writer        // the VMM's own messages
	DiskError func(why string) // told that the guest got an I/O error; may be nil, must not wait
	Dir       string           // the VM's directory; a backend may keep its sockets there
}

// Disk is a raw disk image. The first is /dev/vda in the guest, and so on.
type Disk struct {
	Path     string
	ReadOnly bool
}

// Network is what a backend connects its guest's network card to. Each method
// serves until ctx ends or conn fails, and closes conn.
type Network interface {
	// ServeStream expects every frame behind its length, 4 bytes big-endian,
	// as QEMU's -netdev stream sends it.
	ServeStream(ctx context.Context, conn net.Conn) error
	// ServePackets expects one frame for each Read and Write.
	ServePackets(ctx context.Context, conn io.ReadWriteCloser) error
}

// The accelerators.
const (
	KVM = "kvm"
	TCG = "tcg" // emulation
)

// Info is what a backend found on this host.
type Info struct {
	Backend string `json:"backend"`       // "qemu", "firecracker"
	Path    string `json:"path"`          // the VMM's executable
	Version string `json:"version"`       // as the VMM says it
	Accel   string `json:"accel"`         // KVM or TCG
	Why     string `json:"why,omitempty"` // why not KVM, where it is not
}

// Backend is one VMM.
type Backend interface {
	// Probe reports whether the VMM can run here. Its error is for users, says
	// what is missing and is nil only where Start can be expected to work.
	Probe(ctx context.Context) (Info, error)
	// Start boots a guest. Cancelling ctx kills it. The VMM dies with the
	// calling process, however that ends.
	Start(ctx context.Context, cfg Config, network Network) (Machine, error)
	// Restore is Start with a guest that a Machine of this VMM has saved in dir,
	// and that goes on where it was. cfg is as it was then, but for names, paths
	// and what of the guest's can change later; its kernel and initramfs need not
	// be there. The files in dir are never written to, have to stay for as long as
	// the guest runs, and may serve many.
	Restore(ctx context.Context, cfg Config, dir string, network Network) (Machine, error)
}

// Machine is a VMM process with its guest.
type Machine interface {
	PID() int
	// Wait returns when the VMM has ended and what Start made for it is gone:
	// nil where the guest ended by itself, an *ExitError where the VMM failed
	// or was killed.
	Wait() error
	// Kill ends the VMM at once, as by pulling the plug. Wait still has to be
	// called. Killing an ended machine does nothing.
	Kill()
	// Pause stops the guest's CPUs until Resume. Its memory stays as it is, and
	// so do its connections. Pausing a paused guest does nothing.
	Pause(ctx context.Context) error
	Resume(ctx context.Context) error
	// Resize tells the guest that the file of a disk, by its number in the configuration,
	// has grown to size bytes.
	Resize(ctx context.Context, disk int, size int64) error
	// Save writes the guest's memory and the state of its devices, but not its
	// disks, to new files in dir. One that runs is paused since held, for as little
	// of that as the VMM can, and stays so until Resume, which is to be called also
	// where Save fails.
	Save(ctx context.Context, dir string) (held time.Time, err error)
}

// ExitError is a VMM's failure: the host's fault, never the guest's.
type ExitError struct {
	VMM    string // the backend's name
	Status string // as os.ProcessState says it
	Stderr string // the last line that the VMM wrote about itself
}

func (e *ExitError) Error() string {
	msg := e.VMM + " ended with " + e.Status
	if e.Stderr != "" {
		msg += ": " + e.Stderr
	}
	return msg
}
