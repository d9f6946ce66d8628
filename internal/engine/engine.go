// Package engine is banger's operations, a method each: options in, a result
// out, and events while it goes on.
//
// It owns the rules that no store knows of alone: which image and kernel a run
// takes and how they are first made, what is in use, how a build's VM is made,
// what is removed where a start fails. The faces above it, such as the command
// line, have those in common by calling it. It prints nothing, asks nobody and
// ends no process.
package engine

import (
	"context"

	"banger/internal/config"
	"banger/internal/imagemgr"
	"banger/internal/journal"
	"banger/internal/kernel"
	"banger/internal/network"
	"banger/internal/ports"
	"banger/internal/secret"
	"banger/internal/size"
	"banger/internal/snapshot"
	"banger/internal/statedir"
	"banger/internal/usernet/policy"
	"banger/internal/vm"
	"banger/internal/volume"
	"banger/internal/warm"
)

// Options say whose state an Engine works on, and with what.
type Options struct {
	Dirs    statedir.Dirs
	Config  config.Config
	Version string // banger's, for manifests and servers

	// Supervisor is the command, with its first arguments, that calls Supervise
	// for the VM whose name follows the flags of SuperviseOptions.
	Supervisor []string
	// Maker is the command that calls MakeTemplateApart with the argument that
	// follows.
	Maker []string
	// AskSecret asks the user for the value of a VM's secret that is not to be had
	// otherwise; nil asks nobody.
	AskSecret func(ctx context.Context, vm, name string) (string, error)

	// Jail is the command that calls jail.Main with the arguments that follow.
	Jail []string
	// Share is the command that calls share.Main, where the flag ReadOnlyFlag may follow.
	Share []string
}

// Engine is banger's operations on one state tree. It may be used by several
// goroutines.
type Engine struct {
	Options
	kernels *kernel.Store
	images  *imagemgr.Store
	vms     *vm.Store

	snapshots *snapshot.Store
	volumes   *volume.Store
	templates *warm.Store
	makings   *vm.Store // the throw-away VMs that templates are made of
	networks  *network.Store
}

// New returns an engine. It touches nothing.
func New(o Options) *Engine {
	e := &Engine{
		Options: o,
		kernels: kernel.NewStore(o.Dirs.KernelTree(), o.Version),
		images:  imagemgr.NewStore(o.Dirs),
		vms:     vm.NewStore(o.Dirs.VMTree()),

		snapshots: snapshot.NewStore(o.Dirs.SnapshotTree(), o.Version),
		volumes:   volume.NewStore(o.Dirs.VolumeTree(), o.Version),
		templates: warm.NewStore(o.Dirs.WarmTree(), o.Version),
		makings:   vm.NewStore(o.Dirs.MakingTree()),
		networks:  network.NewStore(o.Dirs.NetworkTree()),
	}
	e.vms.Complete, e.vms.Leave = e.giveAddresses, e.leave
	e.images.Version = o.Version
	e.vms.Journal = journal.New(o.Dirs.Journal())
	e.images.Limits = imagemgr.Limits{Size: int64(o.Config.MaxImageSize), Entries: o.Config.MaxImageEntries}
	return e
}

// VMOptions say what VM to make.
type VMOptions struct {
	Name         string // "" is made up
	Image        string // "" is the configured one
	Kernel       string // "" is the image's, or else the configured one
	CPUs         int
	Memory       size.Size
	Disk         size.Size       // room for what the guest writes
	VMM          string          // "" is the configured one at each start
	Cold         bool            // its first start is a boot, also where it could go on from a template
	Ephemeral    bool            // removed when it stops
	HostLoopback bool            // the guest reaches the host's loopback
	Ports        []ports.Spec    // of the host, that lead to the guest
	PublishAll   bool            // ports of the host for all that the guest listens on
	Mounts       []vm.Mount      // directories of the host that the guest has
	Policy       policy.Settings // what the guest may reach
	Networks     []string        // by name, or "none" for nothing at all outside
	Connections  int             // that the guest may have with the outside at a time; 0 is the usual
	Detached     bool            // it lives on without the run that made it
	Main         *vm.Main        // what it runs at each start, nil for nothing
	Volumes      []vm.Volume     // made where they are not there yet, unless they are only to be read
	Secrets      secret.List     // that the guest may use, and does not have
	Labels       vm.Labels
	TTL          vm.Duration // after which it is stopped; 0 is never
	IdleTimeout  vm.Duration // without any use, after which it is stopped; 0 is never
}

// VMDefaults are the options of a user who asks for nothing in particular.
func (e *Engine) VMDefaults() VMOptions {
	publish, _ := e.Config.Publish() // which was tried when it was read
	return VMOptions{
		Ports: publish, Networks: e.Config.Networks,
		CPUs: e.Config.CPUs, Memory: e.Config.Memory, Disk: e.Config.Disk,
		Policy: e.Config.Policy(), Connections: e.Config.MaxConnections,
	}
}
