package engine

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"banger/internal/imagemgr"
	"banger/internal/logfile"
	"banger/internal/secret"
	"banger/internal/supervisor"
	"banger/internal/usernet"
	"banger/internal/vm"
)

const bootTimeout = 3 * time.Minute

// maxSupervisorLog bounds what a guest can have a supervisor log, in bytes.
const maxSupervisorLog = 4 << 20

// SuperviseOptions are what a VM's supervisor is told on its command line.
type SuperviseOptions struct {
	Name        string
	NoInit      bool // the image's init does not run
	KeepStopped bool // an ephemeral VM is not removed where it stops while its starter lives
	Foreground  bool // the VM stops when its starter lets go

	secrets secret.Values // not on the command line
	Making  bool          // it is the VM that a template is made of
}

// The flags of a supervisor's command line; the VM's name follows them.
const (
	NoInitFlag      = "no-init"
	KeepStoppedFlag = "keep-stopped"
	ForegroundFlag  = "foreground"
	MakingFlag      = "making"
)

// command is the supervisor's command line, up to the VM's name.
func (o SuperviseOptions) command(supervisor []string) []string {
	command := slices.Clone(supervisor)
	if o.NoInit {
		command = append(command, "--"+NoInitFlag)
	}
	if o.KeepStopped {
		command = append(command, "--"+KeepStoppedFlag)
	}
	if o.Foreground {
		command = append(command, "--"+ForegroundFlag)
	}
	if o.Making {
		command = append(command, "--"+MakingFlag)
	}
	return command
}

// Supervise is the supervisor of a VM, in a process of its own: it boots the VM and returns
// when that is down. If the VM does not come up, the starter is told why, with what hint
// says to do about it. log, open for reading and writing, is kept small.
func (e *Engine) Supervise(ctx context.Context, o SuperviseOptions, starter *vm.Reporter, log *os.File, hint func(error) string) error {
	lines := logfile.NewLines(logfile.New(log, maxSupervisorLog))
	defer lines.Close()
	with := supervisor.Options{
		Name: o.Name, NoInit: o.NoInit, KeepStopped: o.KeepStopped, Foreground: o.Foreground,
		VMs: e.vms, Volumes: e.volumes, Share: e.Share, BootTimeout: bootTimeout, Starter: starter, Log: lines, Hint: hint,
	}
	if o.Making {
		with.VMs, with.BootTimeout = e.makings, makingTime
	}
	if err := e.equip(&with, o); err != nil {
		supervisor.Refuse(with, err)
		return err
	}
	if err := e.writeSSHConfig(o.Name); err != nil {
		fmt.Fprintf(lines, "%v\n", err) // the VM is as good without
	}
	return supervisor.Run(ctx, with)
}

// equip fills in the files, VMM and settings that the VM is made of.
func (e *Engine) equip(o *supervisor.Options, asked SuperviseOptions) error {
	v, err := o.VMs.Get(o.Name)
	if err != nil {
		return err
	}
	if o.Backend, err = e.backend(cmp.Or(v.VMM, e.Config.VMM)); err != nil {
		return err
	}
	if o.Kernel, err = e.kernels.Get(v.Kernel); err != nil {
		return err
	}
	var i imagemgr.Image
	if i, err = e.imageOf(v); err != nil {
		return err
	}
	o.Rootfs, o.Main, o.Warm = e.images.Rootfs(v.Image), e.mainOf(v), e.warmOf(asked, i)
	if i.Config != nil {
		o.StopSignal = i.Config.StopSignal
	}
	for _, p := range v.Networks {
		o.Places = append(o.Places, usernet.Place{Network: p.Network, Address: p.Address, Directory: e.directory(v.Name, p.Network)})
	}
	o.Isolated, err = e.isolated(v)
	return err
}

// ImageError says that a VM's disk does not fit the image that has the name today: it holds
// only the blocks that the VM has changed, and makes no sense with another image.
type ImageError struct {
	VM, Image string
	Digest    string // of the image that the disk goes with, "" where an earlier banger made it
}

func (e *ImageError) Error() string {
	if e.Digest == "" {
		return fmt.Sprintf("the disk of vm %q is of the form that earlier bangers made", e.VM)
	}
	return fmt.Sprintf("image %q is not the one that vm %q was made of", e.Image, e.VM)
}

// imageOf returns the image of a VM, or an *ImageError.
func (e *Engine) imageOf(v vm.VM) (imagemgr.Image, error) {
	i, err := e.images.Get(v.Image)
	if err == nil && (v.ImageDigest == "" || v.ImageDigest != i.Digest) {
		err = &ImageError{v.Name, v.Image, v.ImageDigest}
	}
	return i, err
}
