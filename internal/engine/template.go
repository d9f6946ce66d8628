package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"banger/internal/agent"
	"banger/internal/agentapi"
	"banger/internal/imagemgr"
	"banger/internal/process"
	"banger/internal/snapshot"
	"banger/internal/statedir"
	"banger/internal/usernet/policy"
	"banger/internal/vm"
	"banger/internal/vmm"
	"banger/internal/warm"
)

// TemplateOptions say what VMs a template is for. What is empty is as for a new VM.
type TemplateOptions struct {
	Image, Kernel string
	CPUs          int
	MemoryMiB     int
	DiskBytes     int64
	VMM           string
	Policy        policy.Settings
	HostLoopback  bool

	unasked bool // nobody waits for it
}

// memory is their memory in bytes.
func (o TemplateOptions) memory() int64 { return int64(o.MemoryMiB) << 20 }

// TemplateDefaults are the options of a user who asks for nothing in particular.
func (e *Engine) TemplateDefaults() TemplateOptions {
	d := e.VMDefaults()
	return TemplateOptions{CPUs: d.CPUs, MemoryMiB: int(d.Memory >> 20), DiskBytes: int64(d.Disk), Policy: d.Policy}
}

// errUnwanted says that a template must not be made, since nobody asked for it.
var errUnwanted = errors.New("there is to be no template")

// MakeTemplate makes a template for VMs of an image, from a throw-away VM that is booted
// for it: nothing of any user's VM gets into it. An existing template is left as it is.
func (e *Engine) MakeTemplate(ctx context.Context, o TemplateOptions, events Events) (t TemplateInfo, err error) {
	maker, err := e.templateMaker(ctx, o)
	if err != nil {
		return t, err
	}
	lock, err := e.lockMaker(ctx, o)
	if err != nil {
		return t, err
	}
	defer lock.Remove()
	if !o.unasked {
		if err := e.templates.SetOff(o.Image, false); err != nil {
			return t, err
		}
	}
	if there, err := e.templates.Get(maker.shape); err == nil && there != nil && there.Fits(o.DiskBytes) {
		return TemplateInfo{*there, true}, nil
	}
	if err := e.checkMaking(o, maker); err != nil {
		return t, err
	}
	if err := e.removeStaleTemplates(); err != nil {
		return t, err
	}
	err = maker.make(ctx, events)
	if err != nil && ctx.Err() == nil && o.unasked && !errors.Is(err, errUnwanted) {
		err = errors.Join(err, e.templates.SetFailed(maker.shape.Name()))
	}
	if err != nil {
		return t, fmt.Errorf("make a template of image %q: %w", o.Image, err)
	}
	made, err := e.templates.Get(maker.shape)
	if err == nil && made == nil {
		err = errors.New("the template was removed meanwhile")
	}
	if err != nil {
		return t, err
	}
	return TemplateInfo{*made, false}, nil
}

func (e *Engine) lockMaker(ctx context.Context, o TemplateOptions) (*statedir.Lock, error) {
	if o.unasked {
		return e.templates.TryLock()
	}
	return e.templates.Lock(ctx)
}

// spareDisk and spareMemory are what has to stay free besides what a template takes, in
// bytes.
const (
	spareDisk   = 1 << 30
	spareMemory = 512 << 20
)

// checkMaking returns why a template cannot be made now.
func (e *Engine) checkMaking(o TemplateOptions, m *templateMaker) error {
	if err := statedir.CheckSpace(e.Dirs.State, o.memory()+spareDisk); err != nil {
		return err
	}
	if !o.unasked {
		return nil
	}
	off, err := e.templates.Off()
	if err != nil {
		return err
	}
	if slices.Contains(off, o.Image) || e.templates.Failed(m.shape.Name()) {
		return errUnwanted
	}
	free, err := process.FreeMemory()
	if err == nil && free < o.memory()+spareMemory {
		err = fmt.Errorf("there is too little memory for a template: %d MiB are free", free>>20)
	}
	return err
}

// templateMaker makes one template.
type templateMaker struct {
	engine  *Engine
	options TemplateOptions
	image   imagemgr.Image
	info    vmm.Info
	shape   warm.Shape
}

func (e *Engine) templateMaker(ctx context.Context, o TemplateOptions) (*templateMaker, error) {
	m := &templateMaker{engine: e, options: o}
	var err error
	if m.image, err = e.images.Get(o.Image); err != nil {
		return nil, err
	}
	if m.options.Kernel, err = e.kernelFor(m.image, o.Kernel); err != nil {
		return nil, err
	}
	backend, err := e.backend(cmp.Or(o.VMM, e.Config.VMM))
	if err != nil {
		return nil, err
	}
	if m.info, err = backend.Probe(ctx); err != nil {
		return nil, err
	}
	m.shape, err = e.shape(m.vm(), m.image, m.info)
	return m, err
}

// vm is the throw-away VM.
func (m *templateMaker) vm() vm.VM {
	o := m.options
	return vm.VM{
		Name: madeUpName(o.Image), Image: o.Image, ImageDigest: m.image.Digest, Kernel: o.Kernel, CPUs: o.CPUs,
		MemoryMiB: o.MemoryMiB, DiskBytes: o.DiskBytes, VMM: m.info.Backend, Policy: o.Policy, HostLoopback: o.HostLoopback, Cold: true,
	}
}

// makingTime is how long a throw-away VM's guest may take to finish booting: it gets only
// what others leave of the processors.
const makingTime = 15 * time.Minute

// make boots the VM and publishes it as a template.
func (m *templateMaker) make(ctx context.Context, events Events) (err error) {
	e := m.engine
	v, claim, err := e.makings.CreateEphemeral(ctx, m.vm(), e.images.Rootfs(m.options.Image))
	if err != nil {
		return err
	}
	defer claim.Release()
	defer func() { events.warn(e.removeMaking(v.Name)) }()
	o := SuperviseOptions{Name: v.Name, Making: true}
	lease, err := e.makings.Start(ctx, v.Name, o.command(e.Supervisor), nil, events.stage)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lease.End()) }()
	began := time.Now()
	if err := m.awaitBooted(ctx, v.Name, began); err != nil {
		return err
	}
	if off, err := e.templates.Off(); m.options.unasked && (err != nil || slices.Contains(off, m.options.Image)) {
		return errors.Join(errUnwanted, err) // since it was begun
	}
	events.stage("saving " + v.Name)
	return m.save(ctx, v.Name)
}

// removeMaking removes a throw-away VM, if its supervisor has not.
func (e *Engine) removeMaking(name string) error {
	err := e.makings.Remove(context.Background(), name)
	if errors.As(err, new(*vm.NotFoundError)) {
		return nil
	}
	return err
}

// hurried is the longest boot in which no service can have run into systemd's timeout of
// 90 s for want of processors.
const hurried = 60 * time.Second

// awaitBooted waits until the guest has finished booting. Failed services are accepted, since
// they may always fail, unless the boot was so slow that they may have timed out.
func (m *templateMaker) awaitBooted(ctx context.Context, name string, began time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, makingTime)
	defer cancel()
	dial := func(ctx context.Context) (net.Conn, error) { return m.engine.makings.Link(ctx, name) }
	state, err := agent.New(dial, guestRoot).Rest(ctx)
	if err != nil {
		return err
	}
	if state != "" && state != "running" && time.Since(began) > hurried {
		return fmt.Errorf("the guest took %s to boot, and is %q then", time.Since(began).Round(time.Second), state)
	}
	return nil
}

// save publishes the guest as it is.
func (m *templateMaker) save(ctx context.Context, name string) error {
	e := m.engine
	draft, err := e.templates.Draft()
	if err != nil {
		return err
	}
	defer draft.Discard()
	saved, err := e.makings.Snapshot(ctx, name, draft.Dir())
	if err != nil {
		return err
	}
	v, err := e.makings.Get(name)
	if err != nil {
		return err
	}
	v.State = vm.State{}
	snap := snapshot.Snapshot{
		Name: m.shape.Name(), VM: v, Running: saved.Running, PausedMillis: saved.PausedMillis,
		Machine: snapshot.Machine{
			VMM: &m.info, CPU: m.shape.CPU, CPUFeatures: m.shape.CPUFeatures,
			KernelDigest: m.shape.KernelDigest, ImageDigest: m.shape.ImageDigest, AgentProtocol: agentapi.RestoreProtocol,
		},
	}
	return e.templates.Publish(ctx, draft, snap, int64(e.Config.Warm.MaxDisk))
}
