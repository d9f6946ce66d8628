// Package statedir knows every file name of banger's state tree and is its
// only writer: staging directories, atomic publishing, locks.
//
// What has a final name in a tree is whole. Everything else has a name that
// begins with a dot, is invisible to readers and is swept up when its maker is
// gone. The package never removes what banger did not make.
package statedir

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/adrg/xdg"
)

// The files of a kernel's, an image's, a VM's, a snapshot's, a volume's, a network's and a catalog's directory.
const (
	Manifest     = "manifest.json" // kernels, images, snapshots and volumes
	Vmlinux      = "vmlinux"
	Initrd       = "initrd.img"
	Modules      = "modules"      // directory: lib/modules/<release>'s content
	ModulesImage = "modules.ext4" // the same, as a file system
	Rootfs       = "rootfs.ext4"
	Blob         = "blob" // the only file of a cached blob

	VMState       = "vm.json"
	Disk          = "disk.img"
	Initramfs     = "initramfs.cpio"
	ConsoleLog    = "console.log"
	SupervisorLog = "supervisor.log"
	NetworkLog    = "network.log" // what the guest was denied
	OutputLog     = "output.log"  // of the VM's own program
	Socket        = "banger.sock"
	LockFile      = "lock"
	Claim         = "claim"        // locked by the run of an ephemeral VM
	ClientKey     = "id_ed25519"   // logs in to the guest
	Edge          = "edge.json"    // what stands for its secrets in the guest, and who vouches for their hosts
	HostKey       = "host_ed25519" // the guest's own, private
	KnownHosts    = "known_hosts"  // the same, public, for OpenSSH
	SSHConfig     = "ssh_config"   // how OpenSSH logs in, for a user's own configuration to include

	SyncDir = "sync" // directory: what was alike of guests' directories and the host's the last time

	Memory     = "memory"  // a saved guest's
	SavedState = "state"   // its devices'
	RestoreDir = "restore" // directory: what a new VM's guest goes on from, once

	Volume    = "volume.ext4" // what a volume's guests see
	WarmNotes = "notes.json"  // beside the templates
	WarmLog   = "maker.log"   // of what made them

	NetworkFile = "network.json"
	PeersDir    = "peers" // directory: the sockets of a network's VMs

	Catalog          = "catalog.json" // a remote one, cached
	CatalogSignature = "catalog.json.minisig"
)

// Dirs are the roots of the state tree.
type Dirs struct {
	State   string
	Cache   string
	Config  string
	Data    string
	Kernels string
}

// Default returns the roots as the XDG variables, $HOME and
// BANGER_KERNELS_DIR say.
func Default() (Dirs, error) {
	if os.Getenv("HOME") == "" && os.Getenv("XDG_STATE_HOME") == "" {
		return Dirs{}, errors.New("neither HOME nor XDG_STATE_HOME is set")
	}
	xdg.Reload()
	d := Dirs{
		State:  filepath.Join(xdg.StateHome, "banger"),
		Cache:  filepath.Join(xdg.CacheHome, "banger"),
		Config: filepath.Join(xdg.ConfigHome, "banger"),
		Data:   filepath.Join(xdg.DataHome, "banger"),
	}
	d.Kernels = filepath.Join(d.State, "kernels")
	if k := os.Getenv("BANGER_KERNELS_DIR"); k != "" {
		abs, err := filepath.Abs(k)
		if err != nil {
			return Dirs{}, err
		}
		d.Kernels = abs
	}
	return d, nil
}

// KernelTree holds a directory for each kernel.
func (d Dirs) KernelTree() Tree { return Tree{Kind: "kernel", Dir: d.Kernels} }

// ImageTree holds a directory for each image.
func (d Dirs) ImageTree() Tree { return Tree{Kind: "image", Dir: filepath.Join(d.State, "images")} }

// VMTree holds a directory for each VM.
func (d Dirs) VMTree() Tree { return Tree{Kind: "vm", Dir: filepath.Join(d.State, "vms")} }

// SnapshotTree holds a directory for each snapshot.
func (d Dirs) SnapshotTree() Tree {
	return Tree{Kind: "snapshot", Dir: filepath.Join(d.State, "snapshots")}
}

// VolumeTree holds a directory for each volume.
func (d Dirs) VolumeTree() Tree { return Tree{Kind: "volume", Dir: filepath.Join(d.State, "volumes")} }

// Journal is the file that holds what happened to VMs.
func (d Dirs) Journal() string { return filepath.Join(d.State, "events.jsonl") }

// WarmTree holds a directory for each template that VMs are started by.
func (d Dirs) WarmTree() Tree { return Tree{Kind: "template", Dir: filepath.Join(d.State, "warm")} }

// MakingTree holds the throw-away VMs that templates are made of, and nothing
// else for long.
func (d Dirs) MakingTree() Tree { return Tree{Kind: "vm", Dir: filepath.Join(d.State, "making")} }

// NetworkTree holds a directory for each network between VMs.
func (d Dirs) NetworkTree() Tree {
	return Tree{Kind: "network", Dir: filepath.Join(d.State, "networks")}
}

// BlobTree holds a directory for each blob of an OCI registry that is cached,
// named by the hex digits of its SHA-256.
func (d Dirs) BlobTree() Tree {
	return Tree{Kind: "blob", Dir: filepath.Join(d.Cache, "blobs", "sha256")}
}

// BinDir is where users may put VMMs of their own.
func (d Dirs) BinDir() string { return filepath.Join(d.Data, "bin") }

// BuildTree holds what is being made of a Dockerfile, and nothing else for long.
func (d Dirs) BuildTree() Tree { return Tree{Kind: "build", Dir: filepath.Join(d.Cache, "builds")} }

// AgreedDir holds a file for each agreement to what a project's file asks for.
func (d Dirs) AgreedDir() string { return filepath.Join(d.State, "agreed") }

// VersionsFile remembers the versions of VMMs.
func (d Dirs) VersionsFile() string { return filepath.Join(d.Cache, "vmm", "versions.json") }

// AptDir is the cache for apt's lists and downloads.
func (d Dirs) AptDir() string { return filepath.Join(d.Cache, "apt") }

// CatalogTree holds a directory for each remote catalog that was fetched.
func (d Dirs) CatalogTree() Tree {
	return Tree{Kind: "catalog", Dir: filepath.Join(d.Cache, "catalogs")}
}
